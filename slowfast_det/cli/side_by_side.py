"""Films that are looked at side by side, one a thread."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, get_ident


def usual_workers(kind: str) -> int:
    """Films that are looked at side by side if nobody says how many; a single one keeps a processor busy."""
    return max(1, min(4, (os.cpu_count() or 1) // 4)) if kind == "cuda" else 1


class Turns:
    """Threads that look at a film each: names are given in the films' order, and all can be interrupted."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._named: set[int] = set()
        self._threads: set[int] = set()

    @contextmanager
    def of(self, number: int) -> Iterator[None]:
        """While a thread looks at a film."""
        self._threads.add(get_ident())
        try:
            yield
        finally:
            self._threads.discard(get_ident())
            self._pass_on(number)

    @contextmanager
    def naming(self, number: int) -> Iterator[None]:
        """While a film gets its names, after all films before it have theirs, or never will."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._named.issuperset(range(number)), 0.2):
                pass  # an interruption is not noticed while waiting
        yield
        self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        with self._changed:
            self._named.add(number)
            self._changed.notify_all()

    def interrupt(self) -> None:
        """Do to the threads what Ctrl-C does to the main one, wherever they are."""
        for thread in list(self._threads):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt))


def side_by_side(predict: Callable[[int, Path], bool], films: Sequence[Path], workers: int, turns: Turns) -> bool:
    """Predict films; whether all of them went well.

    Args:
        predict: one film by its number; whether it went well.
        films: in the order in which they get their names.
        workers: films at a time.
        turns: those of ``predict``.
    """
    if workers == 1 or len(films) == 1:
        return all([predict(number, film) for number, film in enumerate(films)])
    with ThreadPoolExecutor(workers) as pool:
        try:
            return all(list(pool.map(predict, range(len(films)), films)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            turns.interrupt()
            raise
