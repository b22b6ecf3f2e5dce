"""The verdict of a transform step: never better than what happened, and of what happened first."""

from __future__ import annotations

import json

import pytest

from runner.engine.base import Outcome, StopReason, Verdict
from runner.engine.credentials import Credentials
from runner.engine.posting import Posted, judge, posted

DONE = Posted(done="2 requests answered", notes=("a note",))
REFUSED = Posted(refused="POST /invocations was answered with 500")
BROKEN = Posted(refused="POST /invocations broke off", broken=True)
FAULT = Posted(fault="the container that posts the data failed")


def ended(verdict: Verdict, code: int | None = 1, reason: str = "how") -> Outcome:
    return Outcome(
        verdict=verdict, exit_code=code, signal=None, reason=reason, started_at=None, finished_at=None, seconds=0.0
    )


@pytest.mark.parametrize(
    ("server", "told", "stopped", "verdict", "words"),
    [
        (Verdict.CANCELLED, DONE, None, Verdict.PASSED, "2 requests answered"),
        (Verdict.EXIT, DONE, None, Verdict.PASSED, "2 requests answered"),
        (Verdict.CANCELLED, REFUSED, None, Verdict.TRANSFORM, "answered with 500"),
        (Verdict.EXIT, REFUSED, None, Verdict.TRANSFORM, "answered with 500"),
        (Verdict.CANCELLED, BROKEN, None, Verdict.TRANSFORM, "broke off"),
        (Verdict.EXIT, BROKEN, None, Verdict.EXIT, "the server ended before all was answered: how"),
        (Verdict.PASSED, BROKEN, None, Verdict.EXIT, "the server ended before all was answered: how"),
        (Verdict.PASSED, FAULT, None, Verdict.EXIT, "the server ended before all was answered: how"),
        (Verdict.OOM, BROKEN, None, Verdict.OOM, "how"),
        (Verdict.OOM, REFUSED, None, Verdict.OOM, "how"),
        (Verdict.CANCELLED, FAULT, None, Verdict.INFRASTRUCTURE, "the container that posts"),
        (Verdict.INFRASTRUCTURE, DONE, None, Verdict.INFRASTRUCTURE, "how"),
        (Verdict.INFRASTRUCTURE, REFUSED, StopReason.CANCELLED, Verdict.INFRASTRUCTURE, "how"),
        (Verdict.TIMEOUT, DONE, None, Verdict.TIMEOUT, "how"),
        (Verdict.CANCELLED, DONE, StopReason.CANCELLED, Verdict.CANCELLED, "cancelled"),
        (Verdict.EXIT, BROKEN, StopReason.CANCELLED, Verdict.CANCELLED, "cancelled"),
    ],
)
def test_the_truth_table(
    server: Verdict, told: Posted, stopped: StopReason | None, verdict: Verdict, words: str
) -> None:
    outcome = judge(ended(server), told, stopped)
    assert outcome.verdict is verdict
    assert words in outcome.reason
    assert outcome.warnings == told.notes
    assert outcome.exit_code == {Verdict.PASSED: 0, Verdict.TRANSFORM: None}.get(verdict, outcome.exit_code)


def test_what_the_client_says() -> None:
    passed = ended(Verdict.PASSED, 0)
    said = {"done": True, "files": 1, "requests": 2, "records": 3000, "notes": ["n"]}
    told = posted(passed, json.dumps(said).encode(), b"")
    assert told == Posted(done="2 requests answered, of 3,000 records in 1 file", notes=("n",))
    for kind, broken in (("answer", False), ("ping", False), ("connection", True)):
        failed = {"done": False, "kind": kind, "words": "w", "answer": "", "notes": []}
        assert posted(passed, json.dumps(failed).encode(), b"") == Posted(refused="w", broken=broken)
        failed["answer"] = "a" * 301
        assert posted(passed, json.dumps(failed).encode(), b"").refused == "w: " + "a" * 300 + "..."
    full = {"done": False, "kind": "disk", "words": "full", "answer": "", "notes": []}
    disk = posted(passed, json.dumps(full).encode(), b"")
    assert "full" in disk.fault
    assert not disk.refused


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"done": true}', b"text", b'{"done": true, "notes": 1}'])
def test_a_client_that_says_nothing_sure_proves_nothing(said: bytes) -> None:
    told = posted(ended(Verdict.PASSED, 0), said, b"")
    assert told.fault
    assert judge(ended(Verdict.CANCELLED), told, None).verdict is Verdict.INFRASTRUCTURE


def test_a_client_that_fails_says_its_last_words() -> None:
    told = posted(ended(Verdict.EXIT, 1, "exit 1"), b"", b"Traceback\nMemoryError\n")
    assert told.fault == "the container that posts the data failed: exit 1 (MemoryError)"


@pytest.mark.parametrize("room", range(230, 310))
def test_a_server_that_says_its_secrets_tells_nobody(room: int) -> None:
    """Also one that lies across the limit, or that JSON writes with an escape."""
    secret, token = "wJalrXUtnFEMI/K7MDENG", 'a "token"\\ of é'
    given = Credentials("AKIAEXAMPLE", secret, token)
    answer = "x" * room + secret + " " + token + " " * 300 + secret
    failed = {"done": False, "kind": "answer", "words": f"w {secret}", "answer": answer, "notes": [token]}
    told = posted(ended(Verdict.PASSED, 0), json.dumps(failed).encode(), b"", given)
    for part in (secret[:8], token[:8]):
        assert part not in told.refused
    assert told.notes == ("***",)
    died = posted(ended(Verdict.EXIT, 1, "exit 1"), b"", f"Traceback\n{token} {secret}\n".encode(), given)
    assert died.fault == "the container that posts the data failed: exit 1 (*** ***)"
