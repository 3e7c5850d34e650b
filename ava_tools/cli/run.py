"""How a command line of this project runs: exit codes, error sentences, warnings.

Exit 0: done. 1: failed, with one plain sentence. 2: misuse. No traceback unless ``--debug``. Results go
to the standard output, everything else to the standard error.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

from cyclopts import App, CycloptsError
from rich.console import Console

from ava_tools.errors import InputError


class _PlainConsole(Console):
    """A console on which texts from files have no power over the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(_harmless(each) if isinstance(each, str) else each for each in objects), **options)


def _harmless(text: str) -> str:
    return "".join(sign if sign.isprintable() or sign in "\n\t" else repr(sign)[1:-1] for sign in text)


console = _PlainConsole(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
_debugging = False
DEBUG_HELP = "Add `--debug` to see the traceback of a failure."


class MisuseError(Exception):
    """Options that make no sense together or by their values: exit 2."""


class _ConsoleHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        console.print(f"{record.levelname.lower()}: {record.getMessage()}")


@contextlib.contextmanager
def patience(what: str) -> Iterator[None]:
    """Show on a terminal that something is going on, if it takes longer than a second."""
    status = console.status(what)
    timer = threading.Timer(1.0, status.start)
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        status.stop()


def refuse_collisions(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """No output may be an input, or another output.

    Raises:
        MisuseError: one is.
    """
    taken = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in taken:
            raise MisuseError(f"{path} is named twice; an output must be a file of its own")
        taken.add(path.resolve())


def installed_version() -> str:
    """Version of the package, which holds both tools."""
    try:
        return version("slowfast-det")
    except PackageNotFoundError:
        return "not installed"


def tell(problem: BaseException) -> None:
    """Tell of a failure in one sentence; with ``--debug`` by its traceback too."""
    if _debugging:
        console.print("".join(traceback.format_exception(problem)))
    if isinstance(problem, InputError | OSError):
        console.print(f"error: {_sentence(problem)}")
    else:
        name = type(problem).__name__
        console.print(f"error: {name}: {_sentence(problem)} (a fault of ours; --debug shows where)")


def run(app: App, arguments: Sequence[str] | None = None) -> int:
    """Run a command line and turn whatever happens into its exit code."""
    global _debugging
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    _debugging = "--debug" in tokens
    tokens = [token for token in tokens if token != "--debug"]
    logging.basicConfig(level=logging.WARNING, handlers=[_ConsoleHandler()], force=True)
    if not _debugging:
        warnings.simplefilter("ignore")  # libraries' remarks to programmers
    with contextlib.suppress(ValueError):  # not the main thread: someone else minds the signals
        signal.signal(signal.SIGTERM, _interrupt)
    if tokens[:1] and tokens[0] in app:
        app[tokens[0]].help = None  # its line in the list of commands; its own page says more
    app.suppress_keyboard_interrupt = False  # cyclopts would leave with 130 and no word
    try:
        code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        return code if isinstance(code, int) else 0
    except (CycloptsError, MisuseError) as problem:
        console.print(f"misuse: {_sentence(problem)}")
        return 2
    except KeyboardInterrupt:
        console.print("error: interrupted")
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (lives until the process ends)
    except Exception as problem:
        tell(problem)
    return 1


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _sentence(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror
    return " ".join(str(problem).split())
