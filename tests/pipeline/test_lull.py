"""When to clear up: not while a step starts or ends, and never later than that makes sense. The clock stands still."""

from __future__ import annotations

import threading
from pathlib import Path

from pipeline.helpers import PATIENCE, Gates, Harness, step, verdicts

from runner.engine.fake import FakeEngine
from runner.pipeline.lull import LULL, MOST, Lull


class Waiting:
    """A thread that waits for the lull."""

    def __init__(self, lull: Lull) -> None:
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._wait, args=(lull,), daemon=True)
        self.thread.start()

    def _wait(self, lull: Lull) -> None:
        lull.wait()
        self.over.set()

    def is_over(self) -> bool:
        return self.over.wait(PATIENCE)


def test_nobody_waits_where_nothing_runs() -> None:
    lull = Lull(lambda: 0.0)
    assert Waiting(lull).is_over()
    lull.begin("a")
    lull.end("a")
    assert Waiting(lull).is_over()


def test_a_step_that_has_just_begun_is_waited_for_until_it_ends() -> None:
    lull = Lull(lambda: 0.0)
    lull.begin("a")
    waiting = Waiting(lull)
    assert not waiting.over.wait(2 * LULL)
    lull.end("a")
    assert waiting.is_over()


def test_a_step_that_began_long_ago_is_not() -> None:
    times = [0.0]
    lull = Lull(lambda: times[0])
    lull.begin("a")
    times[0] = LULL
    assert Waiting(lull).is_over()


def test_a_stop_ends_the_waiting() -> None:
    lull = Lull(lambda: 0.0)
    lull.begin("a")
    waiting = Waiting(lull)
    lull.release()
    assert waiting.is_over()


def test_the_first_of_too_many_goes() -> None:
    lull = Lull(lambda: 0.0)
    lull.begin("a")
    waiting = [Waiting(lull)]
    assert not waiting[0].over.wait(LULL)  # it is the first one in the queue
    waiting += [Waiting(lull) for _ in range(MOST)]
    assert waiting[0].is_over()
    assert not any(each.over.is_set() for each in waiting[1:])
    lull.release()
    assert all(each.is_over() for each in waiting)


def test_a_container_goes_while_a_long_step_runs(tmp_path: Path) -> None:
    """That step's own script holds the end of the run up; the removal of the step before it does not wait for that."""
    gates = Gates()
    removed, b = gates.block("remove", "a"), gates.block("run", "b")
    removed.set()

    def later() -> None:
        assert gates.reached["remove", "a"].wait(PATIENCE)
        b.set()

    hand = threading.Thread(target=later)
    hand.start()
    finished = Harness(tmp_path, FakeEngine(hook=gates)).execute(a=step(), b=step("a"))
    hand.join()
    assert verdicts(finished) == {"a": "passed", "b": "passed"}
