"""A step's result holds no secret of its credentials, whoever says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline.helpers import Harness, step, verdicts

from runner.engine.base import Outcome, Verdict
from runner.engine.fake import Canned, FakeEngine

SECRET = "wJalrXUtnFEMI/K7MDENG"
TOKEN = "FwoGZXIvYXdzEXAMPLE/session+token=="


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_no_word_of_a_result_holds_a_secret(tmp_path: Path, verdict: Verdict) -> None:
    outcome = Outcome(
        verdict=verdict,
        exit_code=1,
        signal=None,
        reason=f"it said {SECRET}",
        started_at=None,
        finished_at=None,
        seconds=0.0,
        warnings=(f"a note of {TOKEN}",),
        trace={"traced": True, "why": "", "writes": [[f"/tmp/{TOKEN}", "x"]]},
    )
    message = f"{'m' * 1000}{SECRET}".encode()
    files = {"/opt/ml/output/message": message, "/opt/ml/processing/output/out/f": b"x"}
    canned = Canned(stdout=SECRET.encode(), files=files, outcome=outcome)
    harness = Harness(tmp_path, FakeEngine({"a": canned}))
    finished = harness.execute(a=step(credentials="environment", network="bridge"))
    assert verdicts(finished) == {"a": verdict}
    (result,) = finished.results
    assert (result.reason, result.exit_message) == ("it said ***", "m" * 1000 + "***")
    assert "a note of ***" in result.warnings
    said = [path for path in harness.root.rglob("*") if path.is_file() and holds_secret(path)]
    assert not said
    assert not [event for event in harness.recorder.events if SECRET in repr(event) or TOKEN in repr(event)]


def holds_secret(path: Path) -> bool:
    content = path.read_bytes()
    return SECRET.encode() in content or TOKEN.encode() in content


def test_without_credentials_words_and_files_stay_as_they_are(tmp_path: Path) -> None:
    files = {"/opt/ml/output/message": SECRET.encode(), "/opt/ml/processing/output/out/f": b"x"}
    harness = Harness(tmp_path, FakeEngine({"a": Canned(files=files)}))
    (result,) = harness.execute(a=step()).results
    assert result.exit_message == SECRET
