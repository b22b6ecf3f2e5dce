"""Which steps run, and what the plan says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pipeline.helpers import pipeline, plan_of, step

from runner.errors import EnvironmentFault, NothingSelectedError, UsageError
from runner.pipeline.plan import make_plan
from runner.pipeline.select import Action, select
from runner.spec.models import PipelineSpec


def diamond() -> dict[str, object]:
    return {
        "top": step(), "left": step("top"), "right": step("top"), "join": step("left", "right"),
        "after": step(depends_on=("join",)), "alone": step(),
    }  # fmt: skip


def spec() -> PipelineSpec:
    return PipelineSpec(name="demo", steps=diamond())


@pytest.mark.parametrize(
    ("words", "run", "reuse"),
    [
        ({}, ("top", "left", "right", "join", "after", "alone"), ()),
        ({"only": ("join",)}, ("join",), ("left", "right")),
        ({"from_": ("left",)}, ("left", "join", "after"), ("top", "right")),
        ({"until": ("left",)}, ("top", "left"), ()),
        ({"from_": ("left",), "until": ("join",)}, ("left", "join"), ("top", "right")),
        ({"skip": ("top", "alone")}, ("left", "right", "join", "after"), ("top",)),
        ({"only": ("after",)}, ("after",), ()),
        ({"only": ("join", "left"), "skip": ("left",)}, ("join",), ("left", "right")),
    ],
)
def test_words_narrow_each_other(
    words: dict[str, tuple[str, ...]], run: tuple[str, ...], reuse: tuple[str, ...]
) -> None:
    selection = select(spec(), **words)
    assert selection.run == run
    assert selection.reuse == reuse
    assert sorted((*selection.run, *selection.reuse, *selection.left_out)) == sorted(spec().steps)
    assert all(choice.why for choice in selection.choices)


def test_every_choice_says_why() -> None:
    why = {c.step: (c.action, c.why) for c in select(spec(), only=("join",), skip=("left",)).choices}
    assert why["left"] == (Action.REUSE, "named by --skip; 'join' takes its outputs from an earlier run")
    assert why["top"] == (Action.LEAVE_OUT, "not named by --only")
    assert why["join"] == (Action.RUN, "selected")


@pytest.mark.parametrize("word", ["only", "from_", "until", "skip"])
def test_an_unknown_name_is_refused_with_the_nearest(word: str) -> None:
    with pytest.raises(UsageError, match=r"no step 'jion' \(did you mean 'join'\?\)") as caught:
        select(spec(), **{word: ("jion",)})
    assert f"--{word.strip('_')}" in str(caught.value)


def test_nothing_left_to_run() -> None:
    with pytest.raises(NothingSelectedError):
        select(spec(), only=("join",), skip=("join",))


def test_plan_order_needs_and_priorities(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, diamond())  # type: ignore[arg-type]
    assert plan.names == ("top", "left", "right", "join", "after", "alone")
    assert {s.name: s.priority for s in plan.steps} == {
        "top": 4, "left": 3, "right": 3, "join": 2, "after": 1, "alone": 1
    }  # fmt: skip
    assert plan.step("join").needs == ("left", "right")
    assert plan.step("after").needs == ("join",)
    with pytest.raises(KeyError):
        plan.step("nowhere")
    part = plan_of(tmp_path, diamond(), from_=("left",))  # type: ignore[arg-type]
    assert part.step("join").needs == ("left",)
    assert part.reused_outputs() == {"top": ("out",), "right": ("out",)}


def test_earlier_durations_are_used_for_priorities(tmp_path: Path) -> None:
    whole = pipeline(tmp_path, a=step(), b=step("a"), c=step("a"))
    plan = make_plan(whole, select(whole.spec), {"b": 30.0, "a": 10.0})
    assert {s.name: s.priority for s in plan.steps} == {"a": 40.0, "b": 30.0, "c": 20.0}


def test_the_json_form_is_complete_and_plain(tmp_path: Path) -> None:
    document = json.loads(json.dumps(plan_of(tmp_path, diamond()).to_json()))  # type: ignore[arg-type]
    assert document["order"][0] == "top"
    assert document["steps"][3]["job"]["image"] == "img"
    assert document["steps"][3]["job"]["inputs"][0]["source"] == {"kind": "step", "step": "left", "output": "out"}
    assert {"source": "join", "output": None, "target": "after", "input": None} in document["edges"]
    assert document["selection"][0] == {"step": "top", "action": "run", "why": "selected"}


def test_capacity_is_checked_with_both_numbers(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"big": step(resources={"cpus": 2.5, "memory": "2g"})})
    plan.check_capacity(2.5, 2 << 30)
    with pytest.raises(EnvironmentFault, match=r"step 'big' asks for 2.5 CPUs, but the engine has 2$"):
        plan.check_capacity(2, 2 << 30)


def test_all_that_asks_for_too_much_is_told_at_once(tmp_path: Path) -> None:
    steps = {
        "a": step(resources={"cpus": 3, "memory": "4g"}), "fits": step(resources={"cpus": 2, "memory": "2g"}),
        "b": step(resources={"cpus": 2.5}),
    }  # fmt: skip
    with pytest.raises(EnvironmentFault) as caught:
        plan_of(tmp_path, steps).check_capacity(2, 2 << 30)
    assert str(caught.value).splitlines() == [
        "step 'a' asks for 3 CPUs, but the engine has 2",
        "step 'a' asks for 4,096 MiB of memory, but the engine has 2,048 MiB",
        "step 'b' asks for 2.5 CPUs, but the engine has 2",
    ]


def test_a_thousand_steps(tmp_path: Path) -> None:
    steps = {f"s{n:04}": step(*[f"s{m:04}" for m in {n // 2, n - 1} if 0 <= m < n]) for n in range(1000)}
    plan = plan_of(tmp_path, steps)
    assert len(plan.steps) == 1000
    assert plan.steps[0].priority == 1000
