"""A pool that grows with the work and shrinks without."""

import threading

import pytest

from playground.front.threads import NoThread, Threads
from tests.support.processes import wait_until

pytestmark = pytest.mark.pure


def test_calls_run_side_by_side_up_to_the_most_and_the_rest_in_turn() -> None:
    threads, inside, go_on = Threads(2), threading.Semaphore(0), threading.Event()

    def call() -> int:
        inside.release()
        assert go_on.wait(10)
        return threading.get_ident()

    calls = [threads.submit(call) for _ in range(5)]
    assert inside.acquire(timeout=10)
    assert inside.acquire(timeout=10)
    assert not inside.acquire(timeout=0.05)
    go_on.set()
    assert len({done.result(10) for done in calls}) <= 2
    assert threads.count == 2


def test_a_thread_that_waits_is_used_again() -> None:
    threads = Threads(8)
    for _ in range(20):
        threads.submit(int).result(10)
        wait_until(lambda: threads.free == threads.count, within=10)
    assert threads.count == 1


def test_threads_without_work_end_and_new_work_makes_new_ones() -> None:
    threads = Threads(4, idle_s=0.02)
    assert threads.submit(lambda: 7).result(10) == 7
    wait_until(lambda: threads.count == 0, within=10)
    assert threads.submit(lambda: 8).result(10) == 8


def test_what_a_call_raises_is_its_result_and_ends_no_thread() -> None:
    threads = Threads(1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(10)
    assert threads.submit(lambda: 1).result(10) == 1


def test_what_a_thread_has_of_its_own_is_given_back_in_it() -> None:
    """Database connections lie in cycles: left alone they outlive their thread until the garbage collector comes by."""
    ended: list[int] = []
    threads = Threads(1, idle_s=0.02, at_end=lambda: ended.append(threading.get_ident()))
    worked_in = threads.submit(threading.get_ident).result(10)
    wait_until(lambda: ended == [worked_in], within=10)


def no_more(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_where_no_thread_can_be_started_the_call_is_refused_and_later_ones_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, called = Threads(1), []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        for _ in range(3):
            with pytest.raises(NoThread):
                threads.submit(lambda: called.append("refused"))
    assert threads.submit(lambda: 7).result(10) == 7
    assert (called, threads.count) == ([], 1)


def test_where_no_further_thread_can_be_started_those_that_are_there_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, go_on = Threads(2), threading.Event()
    first = threads.submit(lambda: go_on.wait(10))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        second = threads.submit(lambda: 7)
    go_on.set()
    assert (first.result(10), second.result(10), threads.count) == (True, 7, 1)
