"""Exit codes and sentences of a command line, through small apps."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import warnings

import pytest
from cyclopts import App

from ava_tools.cli.run import MisuseError, console, run
from ava_tools.errors import InputError


@pytest.fixture(autouse=True)
def _as_it_was():
    """`run` takes over logging, warnings and a signal, as the main program may."""
    root, handler = logging.getLogger(), signal.getsignal(signal.SIGTERM)
    handlers, level = list(root.handlers), root.level
    with warnings.catch_warnings():
        yield
    root.handlers[:] = handlers
    root.setLevel(level)
    signal.signal(signal.SIGTERM, handler)


def app_that(action) -> App:
    app = App(name="program")

    @app.command
    def work(number: int = 1, *, name: str = "x") -> object:
        return action()

    return app


def raising(problem: BaseException):
    def action() -> None:
        raise problem

    return action


@pytest.mark.parametrize(
    ("action", "code", "sentence"),
    [
        pytest.param(lambda: None, 0, "", id="done"),
        pytest.param(lambda: 0, 0, "", id="returns_zero"),
        pytest.param(lambda: 1, 1, "", id="returns_one"),
        pytest.param(lambda: "text", 0, "", id="returns_text"),
        pytest.param(raising(InputError("a.mp4: is bad")), 1, "error: a.mp4: is bad\n", id="bad_input"),
        pytest.param(raising(InputError("a.mp4:\n  is   bad")), 1, "error: a.mp4: is bad\n", id="one_line"),
        pytest.param(raising(InputError("[red]a[1].mp4[/red]")), 1, "error: [red]a[1].mp4[/red]\n", id="no_markup"),
        pytest.param(raising(InputError("x" * 500)), 1, f"error: {'x' * 500}\n", id="no_line_break"),
        pytest.param(raising(MisuseError("--a without --b")), 2, "misuse: --a without --b\n", id="misuse"),
        pytest.param(
            raising(FileNotFoundError(2, "No such file or directory", "a.csv")),
            1,
            "error: a.csv: No such file or directory\n",
            id="missing_file",
        ),
        pytest.param(raising(OSError(28, "No space left on device")), 1, "error: No space left on device\n", id="disk"),
        pytest.param(
            raising(KeyboardInterrupt()),
            1,
            "error: interrupted\n",
            id="interrupted",
        ),
        pytest.param(
            raising(KeyError("x")), 1, "error: KeyError: 'x' (a fault of ours; --debug shows where)\n", id="fault"
        ),
        pytest.param(
            raising(AssertionError()),
            1,
            "error: AssertionError:  (a fault of ours; --debug shows where)\n",
            id="silent",
        ),
    ],
)
def test_what_happens_becomes_an_exit_code(capsys, action, code, sentence):
    assert run(app_that(action), ["work"]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == sentence


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        pytest.param(["work", "--nmae", "x"], "--nmae", id="unknown_option"),
        pytest.param(["work", "abc"], "abc", id="not_a_number"),
        pytest.param(["work", "1", "2"], "2", id="too_many"),
        pytest.param(["play"], "play", id="unknown_command"),
        pytest.param(["work", "--name"], "--name", id="no_value"),
    ],
)
def test_misuse_is_exit_2(capsys, arguments, word):
    assert run(app_that(lambda: None), arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("misuse: ")
    assert word in output.err
    assert output.err.count("\n") == 1
    assert "Traceback" not in output.err


@pytest.mark.parametrize("arguments", [["--help"], ["work", "--help"]])
def test_help_is_exit_0(capsys, arguments):
    assert run(app_that(lambda: None), arguments) == 0
    assert "work" in capsys.readouterr().out


@pytest.mark.parametrize(
    "problem", [InputError("bad"), KeyError("x"), OSError("disk")], ids=["input", "fault", "system"]
)
@pytest.mark.parametrize("arguments", [["--debug", "work"], ["work", "--debug"]], ids=["in_front", "behind"])
def test_debug_shows_where_it_failed(problem, arguments, capsys):
    assert run(app_that(raising(problem)), arguments) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told


def test_warnings_go_to_the_standard_error(capsys):
    def action() -> None:
        logging.getLogger("some.library").warning("%s is [bold]odd[/bold]", "film.mp4")
        logging.getLogger("some.library").info("hidden")
        warnings.warn("for programmers", stacklevel=1)
        print("a,b")

    assert run(app_that(action), ["work"]) == 0
    output = capsys.readouterr()
    assert output.out == "a,b\n"
    assert output.err == "warning: film.mp4 is [bold]odd[/bold]\n"


def test_a_request_to_end_is_an_interruption(capsys):
    """A scheduler's SIGTERM has to run the clean-up that Ctrl-C runs."""
    cleaned = []

    def action() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            cleaned.append(True)

    assert run(app_that(action), ["work"]) == 1
    assert cleaned == [True]
    assert capsys.readouterr().err == "error: interrupted\n"


PRINTING = """
import sys
from cyclopts import App
from ava_tools.cli.run import run
app = App(name="program")
@app.command
def work() -> None:
    for number in range({lines}):
        print("x" * 100)
sys.exit(run(app, ["work"]))
"""


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(10_000, id="much"),
        pytest.param(10, id="little"),
    ],
)
def test_a_reader_that_leaves_early_is_no_fault(lines):
    """As ``program | head -1`` does."""
    reading, writing = os.pipe()
    os.close(reading)
    finished = subprocess.run(
        [sys.executable, "-c", PRINTING.format(lines=lines)], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (finished.returncode, finished.stderr) == (1, "")


def test_texts_of_files_have_no_power_over_the_terminal(capsys):
    console.print("note: \x1b[2J\x07 a\rb été\n\tc")
    assert capsys.readouterr().err == "note: \\x1b[2J\\x07 a\\rb été\n        c\n"
