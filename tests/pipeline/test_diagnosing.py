"""A failed step's result says why; on the fake engine. What is said is tested in `tests/diagnosis`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from pipeline.helpers import Harness, step, verdicts

from runner.data.diagnoses import Kind, Place
from runner.engine import credentials as host
from runner.engine.base import Verdict
from runner.engine.fake import Canned, FakeEngine, FakeStep, infrastructure
from runner.pipeline import diagnosing
from runner.pipeline.records import plain, result_from
from runner.spec.models import StepSpec

CODE = "/opt/ml/processing/input/code"
TRACEBACK = f"""\
Traceback (most recent call last):
  File "{CODE}/use.py", line 2, in <module>
    y = frame["label"]
        ~~~~~^^^^^^^^^
  File "/opt/venv/lib/python3.11/site-packages/pandas/core/frame.py", line 4102, in __getitem__
    indexer = self.columns.get_loc(key)
KeyError: 'label'
"""


def make(s: FakeStep) -> None:
    (s.outputs["out"] / "train.csv").write_text("id,labels\n1,0\n2,1\n")


def using(tmp_path: Path, *needs: str, **fields: Any) -> StepSpec:
    (tmp_path / "use.py").write_text("import pandas\n")
    return step(*needs, entrypoint=None, script=str(tmp_path / "use.py"), **fields)


def test_the_columns_of_the_producer_are_looked_up(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"prep": make, "use": Canned(1, stderr=TRACEBACK.encode())}))
    finished = harness.execute(prep=step(), use=using(tmp_path, "prep"))
    assert (verdicts(finished), finished.exit_code) == ({"prep": "passed", "use": "exit"}, 1)
    prep, use = finished.results
    assert prep.diagnosis is None
    document = json.loads((harness.root / "steps/use/result.json").read_text())
    assert document["diagnosis"] == {
        "kind": "missing-column",
        "sentence": "the consumer needs column 'label'; the producer 'prep' wrote 'id', 'labels' (nearest: 'labels')",
        "details": ["looked at /opt/ml/processing/input/prep/train.csv"],
        "fix": "let 'prep' write 'label', or read 'labels' (use.py, line 2)",
        "place": {"file": str(tmp_path / "use.py"), "line": 2, "host": True},
        "evidence": ["KeyError: 'label'", 'y = frame["label"]'],
    }
    assert result_from(document) == use


def test_results_with_and_without_a_diagnosis_are_read_back() -> None:
    from report.samples import TRAIN

    from runner.data.diagnoses import Diagnosis

    place = Place("/a.py", 3, host=False)
    for found in (None, Diagnosis(kind=Kind.TYPE, sentence="s", details=("d",), fix="f", place=place, evidence=("e",))):
        result = dataclasses.replace(TRAIN, diagnosis=found)
        document = json.loads(json.dumps(plain(result)))
        assert result_from(document) == result
    old = plain(TRAIN)
    del old["diagnosis"]  # of an earlier version
    assert result_from(old) == TRAIN


def test_a_log_on_stdout_is_read_where_stderr_says_nothing(tmp_path: Path) -> None:
    loud = Canned(1, stdout=TRACEBACK.replace("KeyError: 'label'", "ValueError: bad").encode(), stderr=b"a warning\n")
    result = Harness(tmp_path, FakeEngine({"a": loud})).execute(a=step()).results[0]
    assert result.diagnosis is not None
    assert (result.diagnosis.kind, result.diagnosis.sentence) == (Kind.EXIT_CODE, "ValueError: bad")


def test_only_where_the_script_is_at_fault(tmp_path: Path) -> None:
    scripts = {
        "ok": Canned(0, stderr=TRACEBACK.encode(), files={"/opt/ml/processing/output/out/f": b"x"}),
        "empty": Canned(0, stderr=TRACEBACK.encode()),
        "lost": Canned(1, stderr=TRACEBACK.encode(), outcome=infrastructure("gone")),
    }
    finished = Harness(tmp_path, FakeEngine(scripts), keep_going=True).execute(ok=step(), empty=step(), lost=step())
    assert verdicts(finished) == {"ok": "passed", "empty": "missing-output", "lost": "infrastructure"}
    assert [result.diagnosis for result in finished.results] == [None, None, None]


def test_of_several_instances_the_one_that_failed_is_read(tmp_path: Path) -> None:
    def by_host(s: FakeStep) -> int:
        (s.outputs["out"] / s.host).write_text("x")
        if s.host == "algo-1":
            s.stderr(b"Traceback (most recent call last):\nValueError: handled\n")
            s.stopping.wait(20)
            return 0
        s.stderr(TRACEBACK.replace("KeyError: 'label'", "ValueError: of algo-2").encode())
        return 1

    result = Harness(tmp_path, FakeEngine({"a": by_host})).execute(a=step(instance_count=2)).results[0]
    assert (result.failed_host, result.verdict) == ("algo-2", Verdict.EXIT)
    assert result.diagnosis is not None
    assert result.diagnosis.sentence == "ValueError: of algo-2"


def test_a_fault_of_the_diagnosis_is_told_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a\nbug")

    monkeypatch.setattr(diagnosing, "diagnose", broken)
    harness = Harness(tmp_path, FakeEngine({"a": Canned(3, stderr=TRACEBACK.encode())}))
    finished = harness.execute(a=step())
    result = finished.results[0]
    assert (result.verdict, result.exit_code, result.reason, finished.exit_code) == (Verdict.EXIT, 3, "exit 3", 1)
    assert result.warnings == ("why it failed could not be found out: RuntimeError: a\\nbug (a fault of run-pipeline)",)


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    def gone(s: FakeStep) -> int:
        (s.launch.run_root / "steps/a/stderr").unlink()
        return 1

    result = Harness(tmp_path, FakeEngine({"a": gone})).execute(a=step()).results[0]
    assert result.verdict is Verdict.EXIT
    assert result.warnings[0].startswith("why it failed could not be found out: FileNotFoundError")


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a-secret-key-of-forty-characters-or-more"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    host._botocore.cache_clear()
    words = "FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/processing/input/a/x'"

    def named(s: FakeStep) -> None:
        (s.outputs["out"] / secret).write_text("x")

    engine = FakeEngine({"a": named, "b": Canned(1, stderr=f"Traceback (most recent call last):\n{words}\n".encode())})
    harness = Harness(tmp_path, engine)
    finished = harness.execute(a=step(), b=step("a", credentials="environment", network="bridge"))
    found = finished.results[1].diagnosis
    assert found is not None
    assert found.sentence == "'x' is not in input 'a' (/opt/ml/processing/input/a), which holds '***'"
    assert secret not in (harness.root / "steps/b/result.json").read_text()


def test_what_lies_in_an_input_is_listed_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for name in ("b", "a\n", "sub/c", "sub/deep/d"):
        (tmp_path / name).touch()
    assert list(diagnosing._entries(tmp_path)) == ["a\\n", "b", "sub/", "sub/c", "sub/deep/", "sub/deep/d"]
    for number in range(3000):
        (tmp_path / f"f{number}").touch()
    assert len(list(diagnosing._entries(tmp_path))) == 2000
