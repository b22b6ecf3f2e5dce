"""Which libraries a step's launch asks to be imported early, and what a plan says of it."""

from __future__ import annotations

import tarfile
from pathlib import Path

from runner.engine.base import StartMode
from runner.engine.fake import FakeEngine
from runner.pipeline.execute import Run
from runner.pipeline.plan import Plan, make_plan
from runner.pipeline.preimports import planned
from runner.pipeline.reuse import Reuse
from runner.pipeline.select import select
from runner.report import plan as report
from runner.spec import load

HELPER = "import yaml\n\ndef f():\n    return yaml\n"
SCRIPT = "import helpers\nimport pandas\nimport torch\n"


def loaded(tmp_path: Path, *steps: str) -> Plan:
    """Steps as lines of YAML; the files of all of them are there."""
    (tmp_path / "src" / "scripts").mkdir(parents=True)
    for name, text in {"helpers.py": HELPER, "train.py": SCRIPT, "scripts/train.py": SCRIPT}.items():
        (tmp_path / "src" / name).write_text(text)
    with tarfile.open(tmp_path / "src.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "src", arcname=".")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "d").write_text("d")
    head = "image: img\nsteps:\n"
    (tmp_path / "p.yaml").write_text(head + "".join(f"  {step}\n" for step in steps))
    pipeline = load(tmp_path / "p.yaml")
    return make_plan(pipeline, select(pipeline.spec))


def launched(tmp_path: Path, plan: Plan, mode: StartMode = StartMode.STAGED) -> dict[str, tuple[str, ...]]:
    engine = FakeEngine(mode=mode)
    Run(plan, engine, runs_dir=tmp_path / "runs", keep_going=True).execute()
    return {each.launch.job.step: each.launch.preimport for each in engine.containers.values()}


OUT = "outputs: [out]"
TRAIN = "type: training, inputs: {train: data}"


def test_a_launch_follows_the_code_that_was_sent(tmp_path: Path) -> None:
    plan = loaded(
        tmp_path,
        f"alone: {{script: src/train.py, {OUT}}}",
        f"tree: {{{TRAIN}, source_dir: src, script: train.py}}",
        f"below: {{{TRAIN}, source_dir: src, script: scripts/train.py}}",
        f"packed: {{{TRAIN}, source_dir: src.tar.gz, script: train.py}}",
        f"off: {{{TRAIN}, source_dir: src, script: train.py, preimport: false}}",
        f"framework: {{source_dir: src, script: train.py, {OUT}}}",
        "shell: {entrypoint: [sh, -c, 'true'], outputs: [out]}",
    )
    assert launched(tmp_path, plan) == {
        "alone": (),
        "tree": ("yaml", "pandas"),
        "below": ("yaml", "pandas"),
        "packed": ("yaml", "pandas"),
        "off": (),
        "framework": (),
        "shell": (),
    }
    found = {step.name: planned(step.job) for step in plan.steps}
    assert {name: early.modules if early else None for name, early in found.items()} == {
        "alone": (),
        "tree": ("yaml", "pandas"),
        "below": ("yaml", "pandas"),
        "packed": None,
        "off": ("yaml", "pandas"),
        "framework": None,
        "shell": None,
    }


def test_only_a_staged_start_imports_early(tmp_path: Path) -> None:
    plan = loaded(tmp_path, f"tree: {{{TRAIN}, source_dir: src, script: train.py}}")
    assert launched(tmp_path, plan, StartMode.PLAIN) == {"tree": ()}


def test_a_script_that_is_no_python_asks_for_nothing(tmp_path: Path) -> None:
    plan = loaded(tmp_path, f"tree: {{{TRAIN}, source_dir: src, script: train.py}}")
    (tmp_path / "src" / "train.py").write_text("import pandas\nx = (\n")
    assert launched(tmp_path, plan) == {"tree": ()}
    assert planned(plan.steps[0].job) is None


def test_a_plan_shows_what_is_imported_early_or_why_not(tmp_path: Path) -> None:
    plan = loaded(
        tmp_path,
        f"tree: {{{TRAIN}, source_dir: src, script: train.py}}",
        f"off: {{{TRAIN}, source_dir: src, script: train.py, preimport: false}}",
        f"alone: {{script: src/train.py, {OUT}}}",
    )
    why = "train.py:3: 'torch' loads GPU libraries"
    text = report.text(plan, Reuse())
    assert f"   early     imports yaml and pandas\n             up to {why}" in text
    assert "   early     nothing is imported before the script starts: preimport: false\n" in text
    assert "   early     imports nothing: train.py:1: 'helpers' is not among the libraries" in text
    early = report.document(plan, Reuse())["early_imports"]
    assert list(early) == ["tree", "alone"]
    assert early["tree"]["modules"] == ["yaml", "pandas"]
    assert early["tree"]["until"].startswith(why)
