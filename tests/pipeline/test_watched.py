"""Which files are watched, and which steps each of them touches."""

from __future__ import annotations

from pathlib import Path

from pipeline.helpers import pipeline, plan_of, step

from runner.pipeline.layout import StepLayout
from runner.pipeline.plan import make_plan
from runner.pipeline.select import select
from runner.pipeline.store import Reused
from runner.pipeline.watch_state import Loaded, State, redefined
from runner.pipeline.watched import Role, Watched, definitions, kept, named, watched
from runner.spec.models import StepSpec


def every(tmp_path: Path, **steps: StepSpec) -> dict[tuple[str, str], tuple[str, ...]]:
    plan = plan_of(tmp_path, steps)
    return {(str(each.path.relative_to(tmp_path)), str(each.role)): each.steps for each in watched(plan)}


def test_what_a_step_is_made_from(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "src").mkdir()
    found = every(
        tmp_path,
        a=step(script="a.py", entrypoint=None, inputs={"raw": {"source": "raw", "expects": {"schema": "mine:Table"}}}),
        b=step("a", source_dir="src", script="b.py", entrypoint=None),
        c=step("b", script="a.py", entrypoint=None, inputs={"one": "raw/one.csv", "all": "raw"}),
        d=step("c", inputs={"x": {"source": "raw", "expects": {"schema": "installed.module:Table"}}}),
        e=StepSpec.model_validate(
            {"type": "training", "image": "img", "source_dir": "code.tar.gz", "script": "t.py", "inputs": {"x": "raw"}}
        ),
    )
    assert found == {
        ("pipeline.yaml", "pipeline file"): (),
        ("raw", "data"): ("a", "c", "d", "e"),
        ("a.py", "code"): ("a", "c"),
        ("mine.py", "schema"): ("a",),
        ("src", "code"): ("b",),
        ("raw/one.csv", "data"): ("c",),
        ("code.tar.gz", "code"): ("e",),
    }


def test_what_the_steps_keep_is_no_one_s_save(tmp_path: Path) -> None:
    train = StepSpec.model_validate({"type": "training", "image": "img", "script": "t.py", "checkpoints": "kept"})
    assert kept(plan_of(tmp_path, {"train": train})) == {tmp_path / "kept"}


def test_specs_are_a_directory_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "dag.json"
    assert definitions(file) == (Watched(file, Role.PIPELINE),)
    assert definitions(file, tmp_path)[1] == Watched(tmp_path, Role.SPECS, names="_runtime_test_spec.json")
    assert definitions(file, tmp_path / "specs.json")[1] == Watched(tmp_path / "specs.json", Role.SPECS)


def test_a_file_that_cannot_be_loaded_still_names_others(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "nonsense: 1\nsteps:\n"
        "  a: {script: a.py, source_dir: src, inputs: {x: raw, y: {source: more}, z: {from: b.c}}}\n"
        "  b: 7\n  c: {inputs: [1]}\n"
    )
    assert [str(each.path.relative_to(tmp_path)) for each in named(file)] == ["src", "src/a.py", "raw", "more"]
    assert {each.steps for each in named(file)} == {()}
    for text in ("steps: [", "steps: 1", "- 1"):
        file.write_text(text)
        assert named(file) == ()


def loaded(tmp_path: Path, **steps: StepSpec) -> Loaded:
    whole = pipeline(tmp_path, **steps)
    return Loaded(whole, make_plan(whole, select(whole.spec)))


def test_what_is_defined_otherwise(tmp_path: Path) -> None:
    before = loaded(tmp_path, a=step(), b=step("a"), c=step("b"), d=step())
    assert redefined(before, before) == ()
    after = loaded(tmp_path, a=step(), b=step("a", env={"X": "1"}), c=step("a"), new=step())
    assert set(redefined(before, after)) == {"b", "c", "d", "new"}
    ordered = loaded(tmp_path, a=step(), b=step("a"), c=step("b"), d=step(depends_on=("c",)))
    assert redefined(before, ordered) == (), "an order makes no other step"


def test_nothing_is_up_to_date_before_it_passed(tmp_path: Path) -> None:
    state = State(loaded(tmp_path, a=step(), b=step("a")))
    plan = state.next()
    assert plan is not None
    assert plan.names == ("a", "b")


def test_all_that_needs_what_is_not_up_to_date(tmp_path: Path) -> None:
    names = ("a", "b", "c", "d")
    state = State(loaded(tmp_path, a=step(), b=step("a"), c=step("b"), d=step("a")))
    lent = {name: Reused("1", "", name, {"out": tmp_path}, {"out": ""}, StepLayout(tmp_path)) for name in names}
    state.lend(lent)
    assert state.next() is None
    state.outdated(["b"])
    plan = state.next()
    assert plan is not None
    assert (plan.names, plan.selection.reuse, plan.selection.left_out) == (("b", "c"), ("a",), ("d",))
