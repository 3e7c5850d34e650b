"""Work ahead in a thread: order, room, errors, and that nothing goes on after it is left."""

import gc
import threading
import time

import pytest

from slowfast_det.ahead import Ahead


def waited_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def counted(made, count, ended=None):
    try:
        for number in range(count):
            made.append(number)
            yield number
    finally:
        if ended is not None:
            ended.append(threading.current_thread())


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_all_in_order_and_then_the_end(depth):
    with Ahead(counted([], 50), depth) as things:
        assert list(things) == list(range(50))
        assert list(things) == []


def test_no_further_ahead_than_the_depth():
    made = []
    with Ahead(counted(made, 50), 4) as things:
        assert waited_for(lambda: len(made) == 4)
        time.sleep(0.05)
        assert len(made) == 4
        assert next(things) == 0
        assert waited_for(lambda: len(made) == 5)
        time.sleep(0.05)
        assert len(made) == 5


def test_an_error_comes_where_it_happened():
    def failing():
        yield 1
        yield 2
        raise OSError("the disk is gone")

    things = Ahead(failing(), 10)
    assert [next(things), next(things)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(things)
    assert next(things, None) is None


def test_leaving_ends_the_generator_in_its_thread():
    made, ended = [], []
    with Ahead(counted(made, 10**9, ended), 2) as things:
        assert next(things) == 0
    assert len(ended) == 1
    assert ended[0] is not threading.current_thread()
    assert not ended[0].is_alive()
    assert len(made) <= 4


def test_one_that_waits_for_another():
    ended = []
    with Ahead(counted([], 10**9, ended), 2) as first, Ahead((2 * n for n in first), 2) as second:
        assert [next(second) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert len(ended) == 1


def test_nothing_comes_after_it_was_left():
    def slow():
        for number in range(10):
            time.sleep(0.05)
            yield number

    things = Ahead(slow(), 2)
    time.sleep(0.02)
    things.close()
    things.close()
    assert next(things, "nothing") == "nothing"


def test_one_that_is_forgotten_ends_its_thread():
    ended = []
    things = Ahead(counted([], 10**9, ended), 2)
    assert next(things) == 0
    del things
    gc.collect()
    assert len(ended) == 1
    assert not ended[0].is_alive()
