"""Work that is done ahead, in a thread of its own: what comes next is ready when it is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from threading import Condition, Thread
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Ahead(Iterator[T], Generic[T]):
    """What a generator yields, made in a thread of its own, at most ``depth`` things before they are taken.

    The generator runs in that thread alone, and ends there. What it raises is raised where the next thing is taken.
    Leave it by `close` (or ``with``) before anything that the generator uses is closed.
    """

    def __init__(self, things: Generator[T], depth: int) -> None:
        """Begin at once."""
        self._things = things
        self._depth = depth
        self._ready: deque[T] = deque()
        self._changed = Condition()
        self._closed = self._ended = False
        self._problem: BaseException | None = None
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            with closing(self._things):
                while self._has_room():
                    thing = next(self._things)
                    with self._changed:
                        self._ready.append(thing)
                        self._changed.notify_all()
        except StopIteration:
            pass
        except BaseException as problem:
            self._problem = problem
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Wait until something may be made; False where nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._ready) < self._depth)
            return not self._closed

    def __next__(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended)
            if self._ready:
                thing = self._ready.popleft()
                self._changed.notify_all()
                return thing
            problem, self._problem = self._problem, None
        raise StopIteration if problem is None else problem

    def close(self) -> None:
        """Stop after what is being made; nothing more comes."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
