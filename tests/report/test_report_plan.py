"""Plans as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from runner.errors import Problem
from runner.pipeline.layout import StepLayout
from runner.pipeline.plan import Plan, PlannedStep, make_plan
from runner.pipeline.reuse import Remark, Reuse
from runner.pipeline.select import Action, Choice, Selection, select
from runner.pipeline.store import Reused
from runner.report import plan as report
from runner.sagemaker.job import (
    CodeFile,
    ConfigFile,
    ContainerJob,
    HostData,
    InputMount,
    Limits,
    OutputMount,
    StepData,
)
from runner.spec import load


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    load = ContainerJob(
        step="load",
        step_type="processing",
        image="python",
        entrypoint=("python3", "/opt/ml/processing/input/code/load.py"),
        arguments=("--name", "a b\n\x1b[2J"),
        env=(("PASSWORD", "pa$sword"), ("SM_OWN", "kept")),
        inputs=(
            InputMount("DATA", "/opt/ml/processing/input/DATA", HostData(str(tmp_path / "data"))),
            InputMount("code", "/opt/ml/processing/input/code", CodeFile("/elsewhere/load.py")),
        ),
        outputs=(OutputMount("data", "/opt/ml/processing/output/data", allow_empty=True),),
        config=(ConfigFile("/opt/ml/config/processingjobconfig.json", "{}"),),
        limits=Limits(cpus=2, memory=512 << 20, timeout=90),
    )
    fit = ContainerJob(
        step="fit",
        step_type="training",
        image="xgboost",
        arguments=("train",),
        working_dir="/opt/ml/code",
        env=(("MINE", "1"), ("SM_MODEL_DIR", "/opt/ml/model"), ("TRAINING_JOB_NAME", "x")),
        inputs=(
            InputMount("train", "/opt/ml/input/data/train", StepData("load", "data"), private="read-only"),
            InputMount("extra", "/opt/ml/input/data/extra", StepData("old", "data"), private="copy"),
        ),
        outputs=(OutputMount("model", "/opt/ml/model", archive="model.tar.gz"),),
        checkpoints=str(tmp_path / "state"),
        network="bridge",
    )
    choices = (
        Choice("old", Action.REUSE, "named by --skip; 'fit' takes its outputs from an earlier run"),
        Choice("load", Action.RUN, "selected"),
        Choice("fit", Action.RUN, "selected"),
    )
    steps = (PlannedStep(load, (), 2.0), PlannedStep(fit, ("load",), 1.0))
    return Plan("demo", tmp_path / "pipeline.yaml", b"", steps, (), Selection(choices))


@pytest.fixture
def reuse(tmp_path: Path) -> Reuse:
    layout = StepLayout(tmp_path / "runs/r1/steps/old")
    lent = Reused("r1", "of old", "old", {"data": layout.output("data")}, {"data": "sha256:0"}, layout)
    remarks = (Remark("old", "changed since run r1 (env)"), Remark(None, "several\nruns"), Remark("load", "is else"))
    return Reuse({"old": lent}, remarks)


def test_text(plan: Plan, reuse: Reuse) -> None:
    assert report.text(plan, reuse) == (
        "demo: 2 of 3 steps, pipeline.yaml\n"
        "\n"
        "1  load  processing\n"
        "   image     python\n"
        "   command   python3 /opt/ml/processing/input/code/load.py --name $'a b\\n\\x1b[2J'\n"
        "   env       PASSWORD='pa$sword'\n"
        "             SM_OWN=kept\n"
        "   input     /opt/ml/processing/input/DATA   ← data, private by overlay\n"
        "             /opt/ml/processing/input/code   ← /elsewhere/load.py, private by overlay\n"
        "   output    /opt/ml/processing/output/data  → data, may be empty\n"
        "   config    /opt/ml/config/processingjobconfig.json\n"
        "   limits    2 CPUs, 512 MiB memory, time-out 1:30, then 2:00 to stop\n"
        "   network   none\n"
        "   starts    at once\n"
        "\n"
        "2  fit  training\n"
        "   image     xgboost\n"
        "   command   <the image's ENTRYPOINT> train\n"
        "   cwd       /opt/ml/code\n"
        "   env       MINE=1\n"
        "             and 2 that SageMaker sets (SM_*, TRAINING_JOB_* ...); --json has them\n"
        "   input     /opt/ml/input/data/train  ← load.data, read-only\n"
        "             /opt/ml/input/data/extra  ← old.data (of an earlier run), private by copy\n"
        "   output    /opt/ml/model             → model, as model.tar.gz\n"
        "   kept      /opt/ml/checkpoints       ↔ state\n"
        "   limits    none\n"
        "   network   bridge (open)\n"
        "   starts    when load passed\n"
        "\n"
        "not run\n"
        "   old: named by --skip; 'fit' takes its outputs from an earlier run\n"
        "      from run r1, of old\n"
        "\n"
        "warnings\n"
        "   old changed since run r1 (env)\n"
        "   several runs\n"
        "   load is else"
    )


def test_warnings_about_the_file(plan: Plan) -> None:
    problem = Problem("pipeline.yaml", 3, 5, "steps.load.args", "101 words")
    warned = dataclasses.replace(plan, remarks=(problem,))
    text = report.text(warned, Reuse())
    assert text.endswith("warnings\n   pipeline.yaml:3:5: steps.load.args: 101 words")
    assert report.document(warned, Reuse())["warnings"] == [dataclasses.asdict(problem)]


def test_a_command_of_the_image_alone() -> None:
    job = ContainerJob(step="a", step_type="processing", image="x")
    assert report.command(job) == "<the image's ENTRYPOINT> <the image's CMD>"


def test_instances_are_told(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")
    (tmp_path / "p.yaml").write_text(
        "image: python\nsteps:\n  s:\n    script: s.py\n    instance_count: 3\n    resources: {cpus: 1}\n"
        "    inputs: {data: {source: data, distribution: ShardedByS3Key}}\n"
    )
    pipeline = load(tmp_path / "p.yaml")
    shown = report.text(make_plan(pipeline, select(pipeline.spec)), Reuse())
    assert "   instances 3, algo-1 to algo-3; all must exit 0\n" in shown
    assert "data, dealt to the instances file by file, private by overlay\n" in shown
    assert "   limits    1 CPU (each)\n" in shown
    assert "   network   none; the instances reach each other\n" in shown


def test_json(plan: Plan, reuse: Reuse, tmp_path: Path) -> None:
    document = json.loads(json.dumps(report.document(plan, reuse)))
    place = str(tmp_path / "runs/r1/steps/old/outputs/data")
    warnings = ["changed since run r1 (env)", "several\nruns"]
    lent = {"step": "old", "run": "r1", "started_at": "of old", "outputs": {"data": place}, "warnings": warnings}
    assert document["reused"] == [lent]
    assert report.document(plan, Reuse())["reused"] == []
    assert document["schema_version"] == 1
    assert document["pipeline"] == "demo"
    assert [step["job"]["step"] for step in document["steps"]] == ["load", "fit"]
    assert [item["private"] for item in document["steps"][1]["job"]["inputs"]] == ["read-only", "copy"]


def test_the_platform_is_shown(plan: Plan) -> None:
    uri = "683313688378.dkr.ecr.us-east-1.amazonaws.com/{}:1.2-1"
    job = ContainerJob(
        step="load",
        step_type="processing",
        image=uri.format("sagemaker-scikit-learn"),
        instance_type="ml.g5.xlarge",
        limits=Limits(cpus=4, memory=16 << 30, of_instance=("cpus", "memory")),
        credentials="endpoint",
    )
    other = dataclasses.replace(job, step="fit", image=uri.format("pytorch-training"))
    steps = tuple(PlannedStep(each, (), 1.0) for each in (job, other))
    whole = dataclasses.replace(plan, steps=steps)
    text = report.text(whole, Reuse())
    for line in (
        "where that is not present, sklearn stands for it: scikit-learn 1.4.2 instead of 1.2-1, Python 3.12, ",
        "must be present, or be pulled: no image of this tool has pytorch 1.2-1; its images are python, ",
        "   instance  ml.g5.xlarge: 4 CPUs, 16 GiB memory, 1 GPU (NVIDIA A10G; none here); limits that ",
        "   limits    4 CPUs, 16 GiB memory\n",
        "   aws       this machine's credentials, by endpoint\n",
    ):
        assert line in text
    stands = report.document(whole, Reuse())["stand_ins"]
    assert {step: (stand["asked"], stand["image"]) for step, stand in stands.items()} == {
        job.step: (job.image, "sklearn")
    }
