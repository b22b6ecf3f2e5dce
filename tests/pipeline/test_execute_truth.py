"""A run on the fake engine: what is in the results, the events and the run directory."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from pipeline.helpers import OUT, Harness, step, verdicts

from runner.engine.base import Outcome, StartMode, Verdict
from runner.engine.fake import Canned, FakeEngine, FakeStep, infrastructure
from runner.errors import EnvironmentFault, ImageUnavailable, UsageError
from runner.pipeline.events import Notice, RunFinished, RunStarted, StepFinished, StepOutput, StepStarted, StepState
from runner.pipeline.store import find_run

MODES = pytest.mark.parametrize("mode", list(StartMode))


@MODES
def test_data_flows_along_a_diamond_and_producers_stay_unchanged(tmp_path: Path, mode: StartMode) -> None:
    def join(s: FakeStep) -> int:
        (s.inputs["left"] / "fake.txt").write_text("scribbled over")
        merged = "".join((s.inputs[n] / "fake.txt").read_text() for n in ("left", "right"))
        (s.outputs["out"] / "merged.txt").write_text(merged)
        return 0

    harness = Harness(tmp_path, FakeEngine({"join": join}, mode=mode))
    finished = harness.execute(top=step(), left=step("top"), right=step("top"), join=step("left", "right"))
    assert finished.exit_code == 0
    assert finished.status == "passed"
    assert [r.step for r in finished.results] == ["top", "left", "right", "join"]
    steps = harness.root / "steps"
    assert (steps / "left/outputs/out/fake.txt").read_text() == "left.out\n"
    assert (steps / "join/outputs/out/merged.txt").read_text() == "scribbled overright.out\n"
    assert not (steps / "join/attempt").exists()
    assert not (steps / "join/scratch").exists()


def test_every_file_of_a_step_can_be_read_without_the_tool(tmp_path: Path) -> None:
    raw = tmp_path / "raw file.csv"
    raw.write_text("a,b\n")
    script = tmp_path / "work.py"
    script.write_text("print(1)\n")
    engine = FakeEngine({"load": Canned(stdout=b"\xff\x00out", stderr=b"err", files={f"{OUT}/out/a.csv": b"12345"})})
    harness = Harness(tmp_path, engine)
    harness.execute(
        load=step(inputs={"DATA": str(raw)}, script=str(script), entrypoint=None, env={"KEY": "pa$sword"}),
        use=step("load"),
    )
    load = harness.root / "steps/load"
    assert (load / "stdout").read_bytes() == b"\xff\x00out"
    assert (load / "stderr").read_bytes() == b"err"
    assert (load / "code/work.py").read_text() == "print(1)\n"
    assert (load / "inputs/DATA/raw file.csv").read_bytes() == raw.read_bytes()
    job = json.loads((load / "job.json").read_text())
    assert dict(job["env"]) == {"KEY": "pa$sword"}
    assert job["image_id"] == "sha256:img"
    outputs = json.loads((load / "outputs.json").read_text())["outputs"]["out"]
    assert [e["path"] for e in outputs["entries"]] == ["a.csv"]
    inputs = json.loads((harness.root / "steps/use/inputs.json").read_text())["inputs"][0]
    assert inputs["digest"] == outputs["digest"]
    assert inputs["source"] == {"kind": "step", "step": "load", "output": "out"}
    assert inputs["private"] == "copy"  # what the fake engine makes
    result = json.loads((load / "result.json").read_text())
    assert result["outputs"]["out"] == {
        "path": "steps/load/outputs/out", "files": 1, "bytes": 5, "digest": outputs["digest"]
    }  # fmt: skip
    assert (harness.root / result["outputs"]["out"]["path"] / "a.csv").read_bytes() == b"12345"
    config = [json.loads(p.read_text()) for p in load.glob("config/*/resourceconfig.json")]
    assert config == [{"current_host": "algo-1", "hosts": ["algo-1"]}]
    assert (harness.root / "pipeline.yaml").read_bytes() == b"name: demo\n"
    assert json.loads((harness.root / "plan.json").read_text())["order"] == ["load", "use"]
    for name in ("reproduce.sh", "shell.sh"):
        assert os.access(load / name, os.X_OK)


def test_events_come_in_order_from_one_thread_and_are_written_down(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"a": Canned(stdout=b"x" * 300_000, files={f"{OUT}/out/f": b"1"})}))
    finished = harness.execute(a=step(), b=step("a"))
    recorder = harness.recorder
    assert recorder.threads == {threading.get_ident()}
    assert recorder.closed == 1
    kinds = [type(e) for e in recorder.events if not isinstance(e, StepOutput)]
    assert kinds == [RunStarted, StepStarted, StepFinished, StepStarted, StepFinished, RunFinished]
    assert b"".join(e.data for e in recorder.of(StepOutput)) == b"x" * 300_000
    last_output = max(i for i, e in enumerate(recorder.events) if isinstance(e, StepOutput))
    first_end = next(i for i, e in enumerate(recorder.events) if isinstance(e, StepFinished))
    assert last_output < first_end
    lines = [json.loads(line) for line in (harness.root / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "run-started", "step-started", "step-finished", "step-started", "step-finished", "run-finished"
    ]  # fmt: skip
    assert lines[-1]["exit_code"] == 0
    record = find_run(harness.runs)
    assert record.status == "passed"
    assert record.exit_code == 0
    assert record.results == finished.results


def test_a_failed_step_publishes_nothing_blocks_its_descendants_and_stops_the_run(tmp_path: Path) -> None:
    bad = Canned(exit_code=3, stderr=b"no data\n", files={f"{OUT}/out/half.csv": b"1"})
    harness = Harness(tmp_path, FakeEngine({"bad": bad}), jobs=1)
    finished = harness.execute(bad=step(), child=step("bad"), grandchild=step("child"), other=step())
    assert finished.exit_code == 1
    assert finished.status == "failed"
    results = {r.step: r for r in finished.results}
    assert verdicts(finished) == {"bad": "exit", "child": "blocked", "grandchild": "blocked", "other": "cancelled"}
    assert results["bad"].exit_code == 3
    assert results["grandchild"].blocked_by == ("bad",)
    assert "'bad' failed" in results["other"].reason
    assert results["other"].directory == ""
    folder = harness.root / "steps/bad"
    assert (folder / "attempt/out/half.csv").read_bytes() == b"1"
    assert not (folder / "outputs").exists()
    assert not (folder / "outputs.json").exists()
    assert [p.name for p in (harness.root / "steps").iterdir()] == ["bad"]
    assert find_run(harness.runs).result("child").blocked_by == ("bad",)


def test_keep_going_runs_all_that_does_not_need_the_failed_step(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"bad": Canned(exit_code=130)}), keep_going=True, jobs=1)
    finished = harness.execute(bad=step(), child=step("bad"), other=step(), last=step("other"))
    assert verdicts(finished) == {"bad": "exit", "child": "blocked", "other": "passed", "last": "passed"}
    assert finished.exit_code == 1


@pytest.mark.parametrize("how", ["nothing", "only a symlink", "only empty directories"])
def test_an_output_without_a_file_fails_its_producer(tmp_path: Path, how: str) -> None:
    def work(s: FakeStep) -> None:
        if how == "only a symlink":
            (s.outputs["out"] / "link").symlink_to("/etc/passwd")
        elif how == "only empty directories":
            (s.outputs["out"] / "a/b").mkdir(parents=True)

    finished = Harness(tmp_path, FakeEngine({"a": work})).execute(a=step(), b=step("a"))
    assert verdicts(finished) == {"a": "missing-output", "b": "blocked"}
    assert "'out'" in finished.results[0].reason
    assert finished.results[0].exit_code == 0
    assert finished.exit_code == 1


def test_an_output_may_be_empty_where_the_pipeline_says_so(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"a": Canned()}))
    finished = harness.execute(a=step(outputs={"out": {"allow_empty": True}}), b=step("a"))
    assert finished.exit_code == 0
    assert list((harness.root / "steps/a/outputs/out").iterdir()) == []


def test_symlinks_and_fifos_are_not_published_and_are_named(tmp_path: Path) -> None:
    def work(s: FakeStep) -> None:
        out = s.outputs["out"]
        (out / "data.csv").write_text("1")
        (out / "sub").mkdir()
        (out / "sub/link").symlink_to("../data.csv")
        os.mkfifo(out / "pipe")

    harness = Harness(tmp_path, FakeEngine({"a": work}))
    finished = harness.execute(a=step())
    out = harness.root / "steps/a/outputs/out"
    assert [p.name for p in out.iterdir()] == ["data.csv"]
    (warning,) = finished.results[0].warnings
    assert "sub/link (symlink)" in warning
    assert "pipe (FIFO)" in warning


@pytest.mark.parametrize(("code", "verdict"), [(0, "invalid-output"), (3, "exit")])
def test_a_message_that_is_not_utf8_fails_the_job(tmp_path: Path, code: int, verdict: str) -> None:
    bad = Canned(exit_code=code, files={"/opt/ml/output/message": b"caf\xe9", f"{OUT}/out/f": b"1"})
    harness = Harness(tmp_path, FakeEngine({"a": bad}))
    finished = harness.execute(a=step())
    assert verdicts(finished) == {"a": verdict}
    assert finished.results[0].exit_message == "caf\ufffd"
    assert not (harness.root / "steps/a/outputs").exists()


def test_the_message_is_kept_after_a_failure_and_never_read_through_a_symlink(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host only")

    def sly(s: FakeStep) -> int:
        s.path("/opt/ml/output/message").symlink_to(secret)
        return 1

    said = Canned(exit_code=1, files={"/opt/ml/output/message": "zu wenig Daten: ü".encode()})
    finished = Harness(tmp_path, FakeEngine({"a": said, "b": sly}), keep_going=True).execute(a=step(), b=step())
    assert [r.exit_message for r in finished.results] == ["zu wenig Daten: ü", None]


def test_a_training_step_publishes_archives(tmp_path: Path) -> None:
    import tarfile

    train = Canned(files={"/opt/ml/model/deep/model.json": b"{}", "/opt/ml/output/failure": b"unused"})
    harness = Harness(tmp_path, FakeEngine({"train": train}))
    finished = harness.execute(
        load=step(), train=step("load", type="training", outputs={}), use=step(inputs={"m": {"from": "train.model"}})
    )
    assert finished.exit_code == 0
    place = harness.root / "steps/train/outputs"
    assert [p.name for p in (place / "model").iterdir()] == ["model.tar.gz"]
    with tarfile.open(place / "model/model.tar.gz") as archive:
        assert archive.getnames() == ["deep", "deep/model.json"]
    with tarfile.open(place / "output/output.tar.gz") as archive:
        assert archive.getnames() == []
    assert not (harness.root / "steps/train/attempt").exists()


def outcome(verdict: Verdict, code: int | None) -> Outcome:
    return Outcome(
        verdict=verdict, exit_code=code, signal=None, reason=f"because {verdict}", started_at=None, finished_at=None,
        seconds=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcomes", "code", "status"),
    [
        ({"a": outcome(Verdict.OOM, 137)}, 1, "failed"),
        ({"a": outcome(Verdict.TIMEOUT, 143)}, 1, "failed"),
        ({"a": infrastructure("gone")}, 3, "environment"),
        ({"a": infrastructure("gone"), "b": outcome(Verdict.EXIT, 2)}, 1, "failed"),
        ({}, 0, "passed"),
    ],
)
def test_exit_codes(tmp_path: Path, outcomes: dict[str, Outcome], code: int, status: str) -> None:
    scripts = {name: Canned(outcome=o) for name, o in outcomes.items()}
    finished = Harness(tmp_path, FakeEngine(scripts), keep_going=True).execute(a=step(), b=step(), c=step("a"))
    assert (finished.exit_code, finished.status) == (code, status)
    if outcomes:
        assert finished.results[2].state is StepState.BLOCKED


def test_from_takes_the_rest_from_the_newest_run_in_which_it_passed(tmp_path: Path) -> None:
    steps = {"a": step(), "b": step("a"), "c": step("b")}
    first = Harness(tmp_path, FakeEngine({"b": Canned(exit_code=1)}))
    first.execute(**steps)
    old = first.root.name
    Harness(tmp_path, FakeEngine({"a": Canned(exit_code=1)})).execute(**steps)
    again = Harness(tmp_path, FakeEngine(), from_=("b",))
    finished = again.execute(**steps)
    assert [r.step for r in finished.results] == ["b", "c"]
    assert finished.exit_code == 0
    (notice,) = again.recorder.of(Notice)
    assert notice.step == "a"
    assert old in notice.message
    taken = json.loads((again.root / "steps/b/inputs.json").read_text())["inputs"][0]
    assert taken["run"] == old
    assert (
        taken["digest"]
        == json.loads((again.runs / old / "steps/a/outputs.json").read_text())["outputs"]["out"]["digest"]
    )


def test_from_without_an_earlier_run_is_refused_before_anything_starts(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine(), from_=("b",))
    with pytest.raises(UsageError, match="no earlier run of 'demo'") as caught:
        harness.execute(a=step(), b=step("a"))
    assert "'a'" in caught.value.remedy
    assert not harness.runs.exists()


def test_missing_image_and_missing_capacity_are_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable):
        Harness(tmp_path, FakeEngine(missing=["img"])).execute(a=step())
    with pytest.raises(EnvironmentFault, match="16 CPUs, but the engine has 4"):
        Harness(tmp_path, FakeEngine(cpus=4)).execute(a=step(resources={"cpus": 16}))
    with pytest.raises(EnvironmentFault, match="4,096 MiB of memory, but the engine has 1,024 MiB"):
        Harness(tmp_path, FakeEngine(memory=1 << 30)).execute(a=step(resources={"memory": "4g"}))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("odd", ["with space", "quo'te\"s", "co:lon,comma", "new\nline", "-dash", "ünï", "$HOME `x`"])
def test_odd_and_relative_workspaces(tmp_path: Path, odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / odd
    work.mkdir()
    monkeypatch.chdir(work)
    (work / "raw").mkdir()
    (work / "raw/x.csv").write_text("1")
    harness = Harness(work, FakeEngine(mode=StartMode.STAGED), runs_dir=Path("my runs"))
    finished = harness.execute(a=step(inputs={"D": "raw"}), b=step("a"))
    assert finished.exit_code == 0
    launch = harness.engine.launches["b"]
    assert launch.run_root.is_absolute()
    assert all(i.host.is_absolute() for i in (*launch.inputs, *launch.outputs, *launch.config))
    assert json.loads((harness.root / "events.jsonl").read_text().splitlines()[0])["run_dir"] == str(launch.run_root)


def test_nested_mounts_and_the_message_directory(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine())
    harness.execute(t=step(type="training", outputs={}))
    launch = harness.engine.launches["t"]
    assert sorted(c.target for c in launch.config) == ["/opt/ml/input/config", "/opt/ml/output"]
    assert sorted(o.target for o in launch.outputs) == ["/opt/ml/model", "/opt/ml/output/data"]


def test_modes_of_published_files_are_those_that_s3_would_give(tmp_path: Path) -> None:
    def work(s: FakeStep) -> None:
        (s.outputs["out"] / "run.sh").write_text("x")
        (s.outputs["out"] / "run.sh").chmod(0o751)

    harness = Harness(tmp_path, FakeEngine({"a": work}))
    harness.execute(a=step())
    assert stat.S_IMODE((harness.root / "steps/a/outputs/out/run.sh").stat().st_mode) == 0o644
