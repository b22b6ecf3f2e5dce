"""What a partial run takes from earlier runs: of which, whether it is intact, and what is said about it."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pipeline.helpers import Harness, plan_of, step

from runner.engine.fake import Canned, FakeEngine
from runner.errors import UsageError
from runner.pipeline import integrity
from runner.pipeline.events import Notice
from runner.pipeline.reuse import Reuse, find_reused
from runner.pipeline.store import find_run, list_runs
from runner.spec.models import StepSpec

OUT = "/opt/ml/processing/output/out"
SIZE = {"cpus": 1, "memory": "1g"}
DIAMOND: dict[str, StepSpec] = {"a": step(), "b": step("a"), "c": step("a", "b")}


def ran(tmp_path: Path, steps: Mapping[str, StepSpec], engine: FakeEngine | None = None, **choice: Any) -> str:
    """The id of a new run."""
    harness = Harness(tmp_path, engine or FakeEngine(), **choice)
    harness.execute(**steps)
    return harness.root.name


def found(tmp_path: Path, steps: Mapping[str, StepSpec], **choice: Any) -> Reuse:
    return find_reused(plan_of(tmp_path, steps, **choice), tmp_path / "runs")


def origins(reuse: Reuse) -> dict[str, str]:
    return {step: taken.run_id for step, taken in reuse.steps.items()}


def texts(reuse: Reuse) -> list[str]:
    return [str(remark) for remark in reuse.remarks]


def published(tmp_path: Path, run_id: str) -> Path:
    """A file that step `a` published."""
    root = tmp_path / "runs" / run_id / "steps/a/outputs/out"
    return next(path for path in root.rglob("*") if path.is_file())


def test_a_plan_that_runs_all_reads_nothing(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.write_text("not even a directory")
    assert find_reused(plan_of(tmp_path, DIAMOND), runs) == Reuse()


def test_outputs_that_were_removed_are_not_reused(tmp_path: Path) -> None:
    older, newer = ran(tmp_path, {"a": step()}), ran(tmp_path, {"a": step()})
    steps = {"a": step(), "b": step("a")}
    assert origins(found(tmp_path, steps, only=("b",))) == {"a": newer}
    shutil.rmtree(tmp_path / "runs" / newer / "steps/a/outputs")
    assert origins(found(tmp_path, steps, only=("b",))) == {"a": older}


def test_all_steps_without_outputs_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"steps 'a', 'b' do not run, and no earlier run of 'demo' in .*runs has their"
    ):
        found(tmp_path, DIAMOND, only=("c",))


def test_another_file_with_the_same_pipeline_name_lends_nothing(tmp_path: Path) -> None:
    ran(tmp_path, DIAMOND)
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    plan = plan_of(elsewhere, DIAMOND, from_=("b",))
    with pytest.raises(UsageError, match="no earlier run of 'demo'") as caught:
        find_reused(plan, tmp_path / "runs")
    assert str(tmp_path / "pipeline.yaml") in str(caught.value)
    assert caught.value.exit_code == 2
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert origins(
        find_reused(plan_of(link, DIAMOND, from_=("b",)), tmp_path / "runs")
    )  # the same file, by another way


def grow(path: Path) -> str:
    path.write_bytes(path.read_bytes() + b"more")
    return f"has {path.stat().st_size} bytes instead of {path.stat().st_size - 4}"


def alter(path: Path) -> str:
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
    return "has other content"


def remove(path: Path) -> str:
    path.rename(path.parents[5] / "away")
    return "is missing"


def link(path: Path) -> str:
    path.unlink()
    path.symlink_to("/etc/passwd")
    return "is no regular file any more"


@pytest.mark.parametrize("tamper", [grow, alter, remove, link])
def test_changed_outputs_are_refused_with_run_step_and_file(tmp_path: Path, tamper: Any) -> None:
    run_id = ran(tmp_path, DIAMOND, FakeEngine({"a": Canned(files={f"{OUT}/f": b"made by a"})}))
    path = published(tmp_path, run_id)
    fault = tamper(path)
    with pytest.raises(UsageError) as caught:
        ran(tmp_path, DIAMOND, from_=("b",))
    for part in (f"run {run_id}", "step 'a'", str(path), fault):
        assert part in str(caught.value)
    assert "--until a" in caught.value.remedy
    assert len(list_runs(tmp_path / "runs")) == 1


def test_an_added_file_and_a_damaged_record_are_refused(tmp_path: Path) -> None:
    run_id = ran(tmp_path, DIAMOND)
    extra = published(tmp_path, run_id).with_name("extra")
    extra.touch()
    with pytest.raises(UsageError, match="extra was added"):
        found(tmp_path, DIAMOND, from_=("b",))
    extra.unlink()
    record = tmp_path / "runs" / run_id / "steps/a/outputs.json"
    document = json.loads(record.read_text())
    document["outputs"]["out"]["entries"] = [{"path": "x"}]
    record.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"outputs\.json is damaged"):
        found(tmp_path, DIAMOND, from_=("b",))


def test_a_name_that_is_not_utf8_is_found_again(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    ran(tmp_path, DIAMOND, FakeEngine({"a": Canned(files={f"{OUT}/{name}": b"x"})}))
    assert texts(found(tmp_path, DIAMOND, from_=("b",))) == []


def test_of_a_large_output_sizes_are_compared_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = ran(tmp_path, DIAMOND, FakeEngine({"a": Canned(files={f"{OUT}/f": b"made by a"})}))
    alter(published(tmp_path, run_id))
    reused = find_run(tmp_path / "runs").published("a", ("out",))
    assert reused is not None
    assert integrity.verify(reused, limit=8) == ("out",)
    grow(published(tmp_path, run_id))
    with pytest.raises(UsageError, match="has 13 bytes instead of 9"):
        integrity.verify(reused, limit=8)


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({}, ""),
        ({"env": {"MODE": "fast"}}, "env"),
        ({"args": ["--fast"]}, "arguments"),
        ({"entrypoint": ("false",)}, "command"),
        ({"image": "other"}, "image"),
        ({"inputs": {"x": {"source": "pipeline.yaml"}}}, "inputs"),
        ({"network": "bridge", "timeout": 5}, "resources, network"),
        ({"instance_type": "ml.m5.large", "resources": SIZE}, "instance type"),
        ({"instance_type": "ml.m5.2xlarge"}, "resources, instance type"),
    ],
)
def test_a_step_that_changed_since_is_named_with_what_changed(
    tmp_path: Path, fields: dict[str, Any], parts: str
) -> None:
    before = {**DIAMOND, "a": step(resources=fields.get("resources", {}))}
    run_id = ran(tmp_path, before)
    now = {**DIAMOND, "a": step(**fields)}
    expected = f"a changed since run {run_id} ({parts}): its old output is used; run it with --until a"
    assert texts(found(tmp_path, now, from_=("b",))) == ([expected] if parts else [])
    if parts:
        harness = Harness(tmp_path, FakeEngine(), from_=("b",))
        harness.execute(**now)
        assert expected in [notice.message for notice in harness.recorder.of(Notice) if notice.step == "a"]


@pytest.mark.parametrize("tree", [False, True])
def test_a_changed_script_is_noticed_and_a_touched_one_is_not(tmp_path: Path, tree: bool) -> None:
    lib = tmp_path / "lib"
    lib.mkdir()
    (lib / "a.py").write_text("print(1)\n")
    (lib / "helper.py").write_text("")
    code = {"source_dir": "lib", "script": "a.py"} if tree else {"script": "lib/a.py"}
    steps = {"a": step(entrypoint=None, **code), "b": step("a")}
    ran(tmp_path, steps)
    os.utime(lib / "a.py", (1, 1))
    assert texts(found(tmp_path, steps, only=("b",))) == []
    (lib / "helper.py").write_text("x = 1\n")
    assert len(texts(found(tmp_path, steps, only=("b",)))) == int(tree)
    (lib / "helper.py").write_text("")
    (lib / "a.py").write_text("print(2)\n")
    (text,) = texts(found(tmp_path, steps, only=("b",)))
    assert ("(source directory)" if tree else "(script)") in text


def test_a_run_whose_job_cannot_be_read_may_differ(tmp_path: Path) -> None:
    run_id = ran(tmp_path, DIAMOND)
    (tmp_path / "runs" / run_id / "steps/a/job.json").write_text("{")
    (text,) = texts(found(tmp_path, DIAMOND, from_=("b",)))
    assert "may have changed" in text


def test_outputs_that_fit_together_are_preferred_to_newer_ones(tmp_path: Path) -> None:
    whole = ran(tmp_path, DIAMOND)
    newer = ran(tmp_path, DIAMOND, FakeEngine({"b": Canned(exit_code=1)}))  # a alone passed
    reuse = found(tmp_path, DIAMOND, only=("c",))
    assert origins(reuse) == {"a": whole, "b": whole}
    (text,) = texts(reuse)
    assert text.startswith(f"a has newer outputs in run {newer}; those of run {whole} are used")


def test_a_run_has_also_what_its_own_steps_were_made_from(tmp_path: Path) -> None:
    whole = ran(tmp_path, DIAMOND)
    newer = ran(tmp_path, DIAMOND, only=("b",))  # made from a of the first run
    reuse = found(tmp_path, DIAMOND, only=("c",))
    assert origins(reuse) == {"a": whole, "b": newer}
    assert texts(reuse) == []


def test_outputs_of_different_runs_are_mixed_with_a_warning_that_names_them(tmp_path: Path) -> None:
    steps = {"a": step(), "b": step(), "c": step("a", "b")}
    first, second = ran(tmp_path, steps, only=("a",)), ran(tmp_path, steps, only=("b",))
    harness = Harness(tmp_path, FakeEngine(), only=("c",))
    harness.execute(**steps)
    expected = (
        "the reused outputs come from different runs, as no run has them all: "
        f"'a' from run {first}, 'b' from run {second}"
    )
    assert expected in [notice.message for notice in harness.recorder.of(Notice) if notice.step is None]
    document = json.loads((harness.root / "plan.json").read_text())
    assert [(item["step"], item["run"], item["warnings"]) for item in document["reused"]] == [
        ("a", first, [expected]),
        ("b", second, [expected]),
    ]


def packed(path: Path, links: Mapping[str, str], content: bytes = b"print(1)\n") -> None:
    """A source archive with `a.py`, `pkg/helper.py`, and links by name with their targets."""
    with tarfile.open(path, "w:gz") as archive:
        for name in ("a.py", "pkg/helper.py"):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)


@pytest.mark.parametrize("target", ["pkg", "a.py", "gone.py"], ids=["directory", "file", "broken"])
def test_a_link_in_a_source_archive_is_compared_by_its_target(tmp_path: Path, target: str) -> None:
    source = tmp_path / "code.tar.gz"
    packed(source, {"link": target})
    steps = {"a": step(entrypoint=None, source_dir="code.tar.gz", script="a.py"), "b": step("a")}
    run_id = ran(tmp_path, steps)
    assert (tmp_path / "runs" / run_id / "steps/a/code/link").is_symlink()
    assert texts(found(tmp_path, steps, only=("b",))) == []
    changed = f"a changed since run {run_id} (source directory): its old output is used; run it with --until a"
    for links in ({"link": "pkg/helper.py"}, {}, {"link": target, "another": target}):
        packed(source, links)
        assert texts(found(tmp_path, steps, only=("b",))) == [changed]
    packed(source, {"link": target}, b"print(2)\n")
    assert texts(found(tmp_path, steps, only=("b",))) == [changed]
    packed(source, {"link": target})
    assert texts(found(tmp_path, steps, only=("b",))) == []


def test_what_was_a_link_and_is_a_file_of_the_same_content_has_changed(tmp_path: Path) -> None:
    source = tmp_path / "code.tar.gz"
    packed(source, {"link": "a.py"})
    steps = {"a": step(entrypoint=None, source_dir="code.tar.gz", script="a.py"), "b": step("a")}
    ran(tmp_path, steps)
    with tarfile.open(source, "w:gz") as archive:
        for name in ("a.py", "pkg/helper.py", "link"):
            info = tarfile.TarInfo(name)
            info.size = 9
            archive.addfile(info, io.BytesIO(b"print(1)\n"))
    assert ["(source directory)" in text for text in texts(found(tmp_path, steps, only=("b",)))] == [True]


def training(content_type: str | None, **fields: Any) -> StepSpec:
    channel = {"source": "pipeline.yaml", "content_type": content_type}
    document = {"type": "training", "image": "img", "inputs": {"train": channel}, "outputs": {"model": {}}, **fields}
    return StepSpec.model_validate(document)


def reads_model(**fields: Any) -> StepSpec:
    return step(inputs={"m": {"from": "a.model"}}, **fields)


MODEL = {"a": Canned(files={"/opt/ml/model/m": b"x"})}


@pytest.mark.parametrize(
    ("was", "now", "parts"),
    [
        ("text/csv", "text/csv", ""),
        ("text/csv", "text/libsvm", "content type"),
        (None, "text/csv", "content type"),
        ("text/csv", None, "content type"),
    ],
)
@pytest.mark.parametrize("instances", [1, 2])
def test_another_content_type_of_a_channel_is_named(
    tmp_path: Path, was: str | None, now: str | None, parts: str, instances: int
) -> None:
    (tmp_path / "pipeline.yaml").write_text("x")
    steps = {"a": training(was, instance_count=instances), "b": reads_model()}
    run_id = ran(tmp_path, steps, FakeEngine(MODEL))
    changed = f"a changed since run {run_id} ({parts}): its old output is used; run it with --until a"
    steps["a"] = training(now, instance_count=instances)
    assert texts(found(tmp_path, steps, only=("b",))) == ([changed] if parts else [])


def test_another_content_type_of_transform_data_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("x")

    def served(content_type: str, **transform: Any) -> dict[str, StepSpec]:
        data = {"source": "pipeline.yaml", "content_type": content_type}
        fields = {"type": "transform", "image": "img", "inputs": {"data": data}, "transform": transform}
        return {"a": StepSpec.model_validate(fields), "b": step(inputs={"o": {"from": "a.output"}})}

    ran(tmp_path, served("text/csv"), FakeEngine({"a": Canned(files={"/transform/output/o.out": b"x"})}))
    assert texts(found(tmp_path, served("text/csv"), only=("b",))) == []
    (text,) = texts(found(tmp_path, served("application/json"), only=("b",)))
    assert "(content type)" in text
    (text,) = texts(found(tmp_path, served("text/csv", split="Line"), only=("b",)))
    assert "(transform)" in text


def test_what_stands_in_the_platforms_files_alone_is_told(tmp_path: Path) -> None:
    """Two URIs that one local image stands for: the script reads the URI in its configuration."""
    one, other = plan_of(tmp_path, DIAMOND), plan_of(tmp_path, {"a": step(image="uri"), "b": step("a")}, only=("b",))
    run_id = ran(tmp_path, DIAMOND)
    assert one.steps[0].job.config != other.reused[0].config
    mapped = dataclasses.replace(other, reused=(dataclasses.replace(other.reused[0], image="img"),))
    (text,) = texts(find_reused(mapped, tmp_path / "runs"))
    assert text.startswith(f"a changed since run {run_id} (configuration files): ")
