"""Work that is done ahead, in a thread of its own: what comes next is ready when it is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from threading import Condition, Thread
from typing import Generic, Self, TypeVar
from weakref import finalize

T = TypeVar("T")
_BLINK = 0.2  # seconds after which who waits looks up: an interruption is not noticed before


class Ahead(Iterator[T], Generic[T]):
    """What a generator yields, made in a thread of its own, at most ``depth`` things before they are taken.

    The generator runs in that thread alone, and ends there. What it raises is raised where the next thing is taken.
    Leave it by `close` (or ``with``) before anything that the generator uses is closed; one that nobody refers to any
    more, not even the generator, and one that is there when the interpreter ends, is closed too.
    """

    def __init__(self, things: Generator[T], depth: int) -> None:
        """Begin at once."""
        self._making = _Making(things, depth)
        thread = Thread(target=self._making.run, name="ahead", daemon=True)
        thread.start()
        self._finish = finalize(self, _leave, self._making, thread)

    def __next__(self) -> T:
        return self._making.take()

    def close(self) -> None:
        """Stop after what is being made; nothing more comes."""
        self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Making(Generic[T]):
    """What the thread and who takes have in common; it knows nothing of the `Ahead`, which can therefore be dropped."""

    def __init__(self, things: Generator[T], depth: int) -> None:
        self._things, self._depth = things, depth
        self._ready: deque[T] = deque()
        self._changed = Condition()
        self._closed = self._ended = False
        self._problem: BaseException | None = None

    def run(self) -> None:
        try:
            with closing(self._things):
                while self._has_room():
                    self._put(next(self._things))
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

    def _put(self, thing: T) -> None:
        with self._changed:
            if not self._closed:
                self._ready.append(thing)
            self._changed.notify_all()

    def take(self) -> T:
        with self._changed:
            while not self._changed.wait_for(lambda: self._ready or self._ended, _BLINK):
                pass
            if self._ready:
                thing = self._ready.popleft()
                self._changed.notify_all()
                return thing
            problem, self._problem = self._problem, None
        raise StopIteration if problem is None else problem

    def stop(self) -> None:
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()


def _leave(making: _Making[T], thread: Thread) -> None:
    making.stop()
    thread.join()
