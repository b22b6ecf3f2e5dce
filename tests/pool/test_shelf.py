"""What the keeper holds and makes next: decided without an engine."""

from __future__ import annotations

from typing import Any

from runner.engine.pool.shelf import Limits, Shelf, Waiting


def wish(key: str, slot: str = "", image_id: str = "i1") -> dict[str, Any]:
    return {"key": key, "slot": slot or key, "step": key, "image": "python", "image_id": image_id, "modules": []}


def waiting(key: str, number: int = 0, slot: str = "", image_id: str = "i1") -> Waiting:
    return Waiting(
        id=f"{key}{number}",
        key=key,
        slot=slot or key,
        step=key,
        image="python",
        image_id=image_id,
        modules=(),
        environ={},
        attach=10 + number,
        wait=50 + number,
        since=float(number),
    )


def shelf(*ready: Waiting, **limits: Any) -> Shelf:
    made = Shelf(Limits(**limits))
    for each in ready:
        made.put(each)
    return made


def test_a_container_is_handed_out_once_and_the_oldest_first() -> None:
    held = shelf(waiting("a", 0), waiting("a", 1))
    taken = [held.take("a"), held.take("a"), held.take("a")]
    assert [each.id if each else None for each in taken] == ["a0", "a1", None]


def test_another_key_gets_none() -> None:
    assert shelf(waiting("a")).take("b") is None


def test_what_is_there_or_coming_is_not_made_again() -> None:
    held = shelf(waiting("a"))
    assert held.wish([wish("a"), wish("b"), wish("c")], {}) == []
    assert [each["key"] for each in held.queue] == ["b", "c"]
    held.next()
    held.wish([wish("b"), wish("c"), wish("c", "other")], {})
    assert held.making is not None and held.making["key"] == "b"
    assert [each["key"] for each in held.queue] == ["c", "c"]


def test_as_many_are_made_as_steps_wish_for_the_same() -> None:
    held = shelf(waiting("a"))
    held.wish([wish("a", "step1"), wish("a", "step2"), wish("a", "step3")], {})
    assert len(held.queue) == 2


def test_of_a_step_only_the_newest_wish_counts() -> None:
    held = shelf(waiting("old", slot="train"), waiting("other"))
    gone = held.wish([wish("new", "train")], {})
    assert [each.key for each in gone] == ["old"]
    assert [each.key for each in held.ready] == ["other"]


def test_an_image_that_was_made_anew_ends_those_of_the_old_one() -> None:
    held = shelf(waiting("a"), waiting("b"))
    gone = held.wish([wish("a2", "a", image_id="i2")], {})
    assert {each.key for each in gone} == {"a", "b"}


def test_no_more_than_its_most() -> None:
    held = shelf(waiting("a"), waiting("b"), most=2)
    held.wish([wish("c"), wish("d")], {})
    assert held.next() is None
    assert not held.queue
    assert "2 containers" in held.note


def test_one_at_a_time() -> None:
    held = shelf()
    held.wish([wish("a"), wish("b")], {})
    assert held.next() is not None
    assert held.next() is None


def test_clearing_it_forgets_the_wishes_too() -> None:
    held = shelf(waiting("a"))
    held.wish([wish("b")], {})
    assert [each.id for each in held.clear()] == ["a0"]
    assert not held.queue and not held.ready
