"""What is a hit, what is a miss, and what a hit leaves in the run directory."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pipeline.caching import Cached
from pipeline.helpers import OUT, Gates, Harness, step, verdicts

from runner.engine.base import Image, StartMode
from runner.engine.fake import Canned, FakeEngine
from runner.errors import UsageError
from runner.pipeline.cache import key
from runner.pipeline.cache.explaining import explain
from runner.pipeline.events import StepFinished, StepStarted, StepState
from runner.pipeline.store import find_run, list_runs
from runner.sagemaker.job import ContainerJob

MODES = pytest.mark.parametrize("mode", list(StartMode))


def files(tmp_path: Path) -> dict[str, Any]:
    """A step with a script, a directory, and a file."""
    (tmp_path / "raw").mkdir(exist_ok=True)
    (tmp_path / "raw/a.csv").write_text("1\n")
    (tmp_path / "one.csv").write_text("1\n")
    (tmp_path / "work.py").write_text("print(1)\n")
    inputs = {"raw": str(tmp_path / "raw"), "one": str(tmp_path / "one.csv")}
    return {"script": str(tmp_path / "work.py"), "entrypoint": None, "inputs": inputs}


@MODES
def test_a_second_run_runs_nothing(tmp_path: Path, mode: StartMode) -> None:
    canned = Canned(
        stdout=b"out\xff", stderr=b"err", files={f"{OUT}/out/deep/a.csv": b"12345", "/opt/ml/output/message": b"hi"}
    )
    cached = Cached(tmp_path, scripts={"a": canned}, mode=mode)
    steps = {"a": step(**files(tmp_path)), "b": step("a"), "c": step("b", "a")}
    assert cached.run(**steps) == ["a", "b", "c"]
    first = cached.finished
    before = {name: (cached.step(name) / "outputs.json").read_bytes() for name in steps}
    assert first is not None
    assert cached.run(**steps) == []
    again = cached.finished
    assert again is not None
    assert again.exit_code == 0
    assert [point for point, _ in cached.engine.journal if point not in ("image", "modules")] == []
    assert verdicts(again) == dict.fromkeys(steps, "passed")
    assert not cached.harness.recorder.of(StepStarted)
    assert [e.result.step for e in cached.harness.recorder.of(StepFinished)] == ["a", "b", "c"]
    result = again.results[0]
    assert result.cached is not None
    assert (result.cached.run, result.cached.step) == (first.run_id, "a")
    assert (result.exit_message, result.container_id, result.seconds) == ("hi", "", 0.0)
    assert result.outputs == first.results[0].outputs
    place = cached.step("a")
    assert (place / "stdout").read_bytes() == b"out\xff"
    assert (place / "stderr").read_bytes() == b"err"
    assert (place / "outputs/out/deep/a.csv").read_bytes() == b"12345"
    assert stat.S_IMODE((place / "outputs/out/deep").stat().st_mode) == 0o755
    assert (place / "code/work.py").read_text() == "print(1)\n"
    assert {name: (cached.step(name) / "outputs.json").read_bytes() for name in steps} == before
    assert find_run(cached.harness.runs).result("a") == result
    assert cached.note("a")["hit"] is True
    assert not list((cached.root / "new").iterdir())
    assert not list((cached.root / "pins").iterdir())


def test_files_are_shared_not_copied(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    for _ in range(3):
        cached.run(a=step())
    assert (cached.step("a") / "outputs/out/fake.txt").stat().st_nlink == 4


def test_a_cache_in_the_runs_directory_is_no_run(tmp_path: Path) -> None:
    cached = Cached(tmp_path, tmp_path / "runs" / ".cache")
    cached.run(a=step())
    assert len(list_runs(tmp_path / "runs")) == 1
    assert stat.S_IMODE(cached.root.stat().st_mode) == 0o700
    assert stat.S_IMODE((cached.root / "secret").stat().st_mode) == 0o600


def _same_time(path: Path, text: str) -> None:
    times = path.stat()
    path.write_text(text)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


EDITS: dict[str, tuple[bool, Callable[[Path], object], dict[str, Any], str]] = {
    "touch": (True, lambda root: os.utime(root / "raw/a.csv", ns=(1, 1)), {}, ""),
    "touched script": (True, lambda root: os.utime(root / "work.py", ns=(1, 1)), {}, ""),
    "grace": (True, lambda _: None, {"stop_grace": 1}, ""),
    "time-out": (False, lambda _: None, {"timeout": 50}, "configuration /opt/ml/config/processingjobconfig"),
    "byte of a directory": (False, lambda r: _same_time(r / "raw/a.csv", "2\n"), {}, "input 'raw': content differs"),
    "byte of a file": (False, lambda root: _same_time(root / "one.csv", "2\n"), {}, "input 'one': content differs"),
    "byte of the script": (False, lambda r: _same_time(r / "work.py", "print(2)\n"), {}, "code: work.py differs"),
    "executable script": (False, lambda root: (root / "work.py").chmod(0o755), {}, "code: differs"),
    "new file": (False, lambda root: (root / "raw/b.csv").write_text(""), {}, "input 'raw': content differs"),
    "argument": (False, lambda _: None, {"args": ["--x", "1"]}, "arguments: none -> --x 1"),
    "variable": (False, lambda _: None, {"env": {"KEY": "b"}}, "env KEY: differs"),
    "new variable": (False, lambda _: None, {"env": {"KEY": "a", "MORE": ""}}, "env MORE: is new"),
    "no variable": (False, lambda _: None, {"env": {}}, "env KEY: is gone"),
    "memory": (False, lambda _: None, {"resources": {"memory": "1g"}}, "resources memory: none -> 1073741824"),
    "image": (False, lambda _: None, {"image": "other"}, "image: sha256:img -> sha256:other"),
    "output": (False, lambda _: None, {"outputs": {"out": {"allow_empty": True}}}, "outputs out: "),
    "private": (False, lambda _: None, {"private": "copy"}, "input 'raw': private overlay -> copy"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_a_hit_and_what_explain_says(tmp_path: Path, edit: str) -> None:
    hit, change, fields, words = EDITS[edit]
    cached = Cached(tmp_path)
    plain = {**files(tmp_path), "env": {"KEY": "a"}}
    assert cached.run(a=step(**plain)) == ["a"]
    change(tmp_path)
    fields = dict(fields)
    if private := fields.pop("private", None):
        fields["inputs"] = {**plain["inputs"], "raw": {"source": plain["inputs"]["raw"], "private": private}}
    assert cached.run(a=step(**{**plain, **fields})) == ([] if hit else ["a"])
    found = explain(cached.harness.runs, "latest", "a")
    assert found.note is not None
    assert found.note.hit is hit
    lines = [f"{change.part}: {change.text}" for change in found.changes]
    assert len(lines) == bool(words), lines
    assert all(line.startswith(words) for line in lines)
    assert cached.run(a=step(**{**plain, **fields})) == []


def test_a_moved_tag_is_a_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = Cached(tmp_path)
    cached.run(a=step())
    really = FakeEngine.image

    def moved(engine: FakeEngine, reference: str) -> Image:
        return dataclasses.replace(really(engine, reference), id="sha256:moved")

    monkeypatch.setattr(FakeEngine, "image", moved)
    assert cached.run(a=step()) == ["a"]


def test_a_changed_step_with_the_same_output_spares_those_behind_it(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    cached.run(a=step(), b=step("a"))
    assert cached.run(a=step(env={"X": "1"}), b=step("a")) == ["a"]


@MODES
def test_a_container_that_was_staged_for_a_hit_is_given_back(tmp_path: Path, mode: StartMode) -> None:
    """While a changed step runs nobody knows yet that it will write the same."""
    cached = Cached(tmp_path, mode=mode)
    cached.run(a=step(), b=step("a"), c=step("b"))
    assert cached.run(a=step(env={"X": "1"}), b=step("a"), c=step("b")) == ["a"]
    assert cached.finished is not None
    assert cached.finished.results[1].cached is not None
    assert (cached.step("b") / "outputs/out/fake.txt").read_text() == "b.out\n"
    assert not (cached.step("b") / "attempt").exists()


def test_nothing_is_staged_for_a_run_of_hits(tmp_path: Path) -> None:
    cached = Cached(tmp_path, mode=StartMode.STAGED)
    steps = {"a": step(), **{f"s{n}": step(f"s{n - 1}" if n else "a") for n in range(6)}}
    cached.run(**steps)
    assert cached.run(**steps) == []
    assert ("prepare", "a") not in cached.engine.journal
    assert not [1 for point, _ in cached.engine.journal if point == "prepare"]


def test_a_hit_waits_for_no_room(tmp_path: Path) -> None:
    """One step at a time, and the first one takes all of the memory."""
    gates = Gates()
    cached = Cached(tmp_path)
    whole = {"resources": {"memory": "16g"}}
    cached.run(hit=step(**whole))
    go = gates.block("run", "long")
    cached.engine_options["hook"] = gates
    harness = cached.prepare(jobs=1)

    def until_hit(event: object) -> None:
        if isinstance(event, StepFinished) and event.result.step == "hit":
            go.set()

    harness.recorder.handle = until_hit  # type: ignore[method-assign]
    finished = harness.execute(long=step(**whole), hit=step(**whole))
    assert verdicts(finished) == {"long": "passed", "hit": "passed"}
    assert cached.ran == ["long"]


@pytest.mark.parametrize("how", ["exit", "missing-output"])
def test_what_did_not_pass_is_never_kept(tmp_path: Path, how: str) -> None:
    canned = Canned(exit_code=3, files={f"{OUT}/out/x": b""}) if how == "exit" else Canned(files={})
    cached = Cached(tmp_path, scripts={"a": canned})
    for _ in range(2):
        assert cached.run(a=step()) == ["a"]
        assert cached.note("a")["kept"] is False
    assert not cached.files("entries")
    assert not cached.files("trees")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"cache": False}, "`cache: false`"),
        ({"network": "bridge"}, "`network: bridge`"),
        ({"cache": {"enabled": False, "ignore_env": []}}, "`cache: false`"),
    ],
)
def test_what_is_not_cached_says_why(tmp_path: Path, fields: dict[str, Any], word: str) -> None:
    cached = Cached(tmp_path)
    for _ in range(2):
        assert cached.run(a=step(**fields)) == ["a"]
    assert word in cached.note("a")["why"]


def test_a_step_may_insist(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    fields = {"network": "bridge", "cache": True}
    assert cached.run(a=step(**fields)) == ["a"]
    assert cached.run(a=step(**fields)) == []


def test_an_ignored_variable_has_any_value_but_must_be_there(tmp_path: Path) -> None:
    cached = Cached(tmp_path)

    def with_env(**env: str) -> Any:
        return step(env=env, cache={"ignore_env": ["STAMP"]})

    assert cached.run(a=with_env(STAMP="1", KEY="k")) == ["a"]
    assert cached.run(a=with_env(STAMP="2", KEY="k")) == []
    assert cached.run(a=with_env(STAMP="2", KEY="l")) == ["a"]
    assert cached.run(a=with_env(KEY="k")) == ["a"]


def test_a_forced_step_runs_and_its_result_counts(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    cached.run(a=step(), b=step("a"))
    assert cached.run(a=step(), b=step("a"), force=("a",)) == ["a"]
    forced = cached.harness.root.name
    cached.run(a=step(), b=step("a"))
    assert cached.finished is not None
    assert cached.finished.results[0].cached is not None
    assert cached.finished.results[0].cached.run == forced
    with pytest.raises(UsageError, match=r"--force: no step 'aa' runs \(did you mean 'a'\?\)"):
        cached.run(a=step(), force=("aa",))


def test_secrets_are_in_no_file_of_the_cache(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    training = {"type": "training", "outputs": {}, "hyperparameters": {"token": "hush-hush"}}
    cached.run(a=step(env={"TOKEN": "s3cr3t-value"}), b=step(**training))
    for path in [*cached.root.rglob("*"), cached.step("a") / "cache.json", cached.step("b") / "cache.json"]:
        if path.is_file():
            assert b"s3cr3t-value" not in path.read_bytes(), path
            assert b"hush-hush" not in path.read_bytes(), path
    assert len(cached.files("entries")) == 2


def test_the_key_has_every_field_of_a_job(tmp_path: Path) -> None:
    """A field that is added must be put into a part, or be named as one that no script sees."""
    told = {
        "step_type", "entrypoint", "arguments", "working_dir", "env", "config", "exit_message", "inputs", "outputs",
        "limits", "network", "credentials", "hostname", "instance_type", "instance_count", "transform", "requirements",
    }  # fmt: skip
    fields = {field.name for field in dataclasses.fields(ContainerJob)}
    assert fields == told | key.NOT_IN_KEY


def test_the_same_key_in_one_run_is_computed_once(tmp_path: Path) -> None:
    """Transform steps have no name in their job, so two can be the same."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.tar.gz").write_bytes(b"")
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/a.csv").write_text("1\n")
    inputs = {"model": str(tmp_path / "model"), "data": str(tmp_path / "rows")}
    same = step(type="transform", entrypoint=None, inputs=inputs, outputs={})
    cached = Cached(tmp_path)
    assert len(cached.run(a=same, b=same)) == 1
    assert cached.finished is not None
    assert [r.state for r in cached.finished.results] == [StepState.PASSED] * 2
    assert [text for text in cached.notices if text.startswith("waits for another")]


def test_a_waiting_step_leaves_when_the_run_is_stopped(tmp_path: Path) -> None:
    from runner.pipeline.cache.folder import open_folder
    from runner.pipeline.cache.locks import try_lock

    cached = Cached(tmp_path)
    cached.run(a=step(env={"N": "1"}))
    held = try_lock(open_folder(cached.root).locks / cached.note("a")["key"])
    assert held is not None
    harness = cached.prepare(force=("a",))
    run = harness.prepare(a=step(env={"N": "1"}))
    really = harness.recorder.handle

    def stop(event: Any) -> None:
        really(event)
        if "waits for another" in getattr(event, "message", ""):
            run.cancel(2)

    harness.recorder.handle = stop  # type: ignore[method-assign]
    finished = run.execute()
    assert finished.exit_code == 130
    assert finished.results[0].state is StepState.CANCELLED
    held.free()
    assert cached.run(a=step(env={"N": "1"})) == []


def test_two_runs_at_once_compute_once(tmp_path: Path) -> None:
    gates = Gates()
    go = gates.block("run", "a")
    first = Cached(tmp_path, hook=gates)
    second = Cached(tmp_path)
    thread = threading.Thread(target=lambda: first.prepare().prepare(a=step()).execute())
    thread.start()
    assert gates.reached["run", "a"].wait(20)
    harness: Harness = second.prepare()
    really = harness.recorder.handle

    def release(event: Any) -> None:
        really(event)
        if "waits for another" in getattr(event, "message", ""):
            go.set()

    harness.recorder.handle = release  # type: ignore[method-assign]
    finished = harness.prepare(a=step()).execute()
    thread.join()  # only then are the other run's threads gone, too
    harness.nothing_left()
    assert first.ran == ["a"]
    assert second.ran == []
    assert finished.results[0].cached is not None


def test_without_a_cache_there_is_no_trace_of_one(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine())
    harness.execute(a=step())
    assert not (harness.root / "steps/a/cache.json").exists()
    assert not (harness.runs / ".cache").exists()
    assert json.loads((harness.root / "steps/a/result.json").read_bytes())["cached"] is None
    assert explain(harness.runs, "latest", "a").note is None
