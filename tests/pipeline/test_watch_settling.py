"""When to look after saves, on a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.pipeline.watch_settling import CEILING, OPEN, QUIET, Settling


def test_nothing_happened() -> None:
    assert Settling().due() is None


def test_one_save_is_looked_at_after_a_moment_of_quiet() -> None:
    settling = Settling()
    settling.closed("a", 10.0)
    assert settling.due() == 10.0 + QUIET
    assert settling.take() == 10.0
    assert settling.due() is None


def test_a_burst_is_one_look() -> None:
    """100 saves within 50 ms."""
    settling, looks = Settling(), 0
    for number in range(100):
        now = number * 0.0005
        due = settling.due()
        if due is not None and due <= now:
            settling.take()
            looks += 1
        settling.closed("a", now)
    assert looks == 0
    assert settling.due() == 99 * 0.0005 + QUIET


def test_who_saves_without_a_pause_is_told_of_the_first_saves() -> None:
    settling = Settling()
    for number in range(100):
        settling.closed("a", number * QUIET / 2)
    assert settling.due() == CEILING


def test_a_file_that_is_being_written_is_not_looked_at() -> None:
    settling = Settling()
    settling.writing("large", 0.0)
    settling.writing("large", 5.0)
    assert settling.due() == 5.0 + OPEN, "its writer may keep it open for ever"
    settling.closed("large", 5.1)
    assert settling.due() == CEILING, "at once"


def test_a_second_look_comes_when_it_was_asked_for() -> None:
    settling = Settling()
    settling.note(0.0)
    settling.take()
    settling.postpone(3.0)
    assert settling.due() == 3.0 + QUIET


@given(st.lists(st.tuples(st.floats(0, 0.2), st.sampled_from("wc"), st.sampled_from("ab")), min_size=1))
def test_a_look_is_never_before_an_event_has_settled_and_always_comes(events: list[tuple[float, str, str]]) -> None:
    settling, now = Settling(), 0.0
    for pause, kind, file in events:
        now += pause
        (settling.writing if kind == "w" else settling.closed)(file, now)
    due = settling.due()
    assert due is not None
    assert due <= now + OPEN
    assert due >= min(now, CEILING)
