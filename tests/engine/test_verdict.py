"""The whole truth table of the verdict, without an engine."""

from __future__ import annotations

from typing import Any

import pytest

from runner.engine.base import StopReason, Verdict
from runner.engine.outcomes import has_passed
from runner.engine.verdict import Evidence, judge
from runner.sagemaker.job import Limits

LIMITS = Limits(memory=512 << 20, timeout=5.0)


def state(code: int, *, oom: bool = False, status: str = "exited") -> dict[str, Any]:
    return {"Status": status, "ExitCode": code, "OOMKilled": oom}


def report(**fields: Any) -> dict[str, Any]:
    return {"stopped": None, "oom_kills": 0, "error": None, "notes": []} | fields


CASES = [
    ("passed", {"state": state(0), "report": report(exit=0)}, Verdict.PASSED, "exit 0"),
    ("own exit 3", {"state": state(3), "report": report(exit=3)}, Verdict.EXIT, "exit 3"),
    ("own exit 130", {"state": state(130), "report": report(exit=130)}, Verdict.EXIT, "not killed by SIGINT"),
    ("own exit 137", {"state": state(137), "report": report(exit=137)}, Verdict.EXIT, "not killed by SIGKILL"),
    ("signal 9", {"state": state(137), "report": report(signal=9)}, Verdict.EXIT, "ended by SIGKILL"),
    ("signal 11", {"state": state(139), "report": report(signal=11)}, Verdict.EXIT, "ended by SIGSEGV"),
    ("memory, by the agent", {"state": state(137), "report": report(signal=9, oom_kills=1)}, Verdict.OOM, "512 MiB"),
    ("memory, by the engine", {"state": state(137, oom=True), "report": report(signal=9)}, Verdict.OOM, "512 MiB"),
    ("memory took the agent", {"state": state(137, oom=True)}, Verdict.OOM, "512 MiB"),
    (
        "memory took a child",
        {"state": state(1), "report": report(exit=1, oom_kills=1)},
        Verdict.EXIT,
        "a process of this step was killed for memory at its limit of 512 MiB",
    ),
    ("timed out", {"state": state(143), "report": report(signal=15, stopped="timeout")}, Verdict.TIMEOUT, "5 s"),
    ("timed out, exits 0", {"state": state(0), "report": report(exit=0, stopped="timeout")}, Verdict.TIMEOUT, "5 s"),
    (
        "cancelled",
        {"state": state(143), "report": report(signal=15, stopped="cancelled")},
        Verdict.CANCELLED,
        "cancelled",
    ),
    (
        "another instance failed",
        {"state": state(0), "report": report(exit=0, stopped="peer")},
        Verdict.CANCELLED,
        "another instance had failed (it exited 0 after SIGTERM)",
    ),
    (
        "another instance failed, and the agent was killed",
        {"state": state(137), "stop": StopReason.PEER},
        Verdict.CANCELLED,
        "another instance had failed",
    ),
    (
        "another instance failed, without an agent",
        {"state": state(0), "stop": StopReason.PEER, "has_agent": False},
        Verdict.CANCELLED,
        "another instance had failed",
    ),
    (
        "stopped from outside, exits 0",
        {"state": state(0), "report": report(exit=0, stopped="outside:SIGTERM")},
        Verdict.INFRASTRUCTURE,
        "from outside with SIGTERM",
    ),
    ("leash", {"state": state(137), "report": report(signal=9, stopped="leash")}, Verdict.INFRASTRUCTURE, "runner"),
    ("killed from outside", {"state": state(137)}, Verdict.INFRASTRUCTURE, "killed from outside"),
    ("agent gone, exit 0", {"state": state(0)}, Verdict.INFRASTRUCTURE, "without the agent's report"),
    ("removed from outside", {"state": None}, Verdict.INFRASTRUCTURE, "removed from outside"),
    ("engine lost", {"lost": "gone", "report": report(exit=0)}, Verdict.INFRASTRUCTURE, "lost"),
    (
        "contradiction",
        {"state": state(137), "report": report(exit=0)},
        Verdict.INFRASTRUCTURE,
        "exit 137 and the agent 0",
    ),
    ("still running", {"state": state(0, status="running")}, Verdict.INFRASTRUCTURE, "'running'"),
    (
        "log not written",
        {"state": state(0), "report": report(exit=0), "sink_error": "No space"},
        Verdict.INFRASTRUCTURE,
        "No sp",
    ),
    (
        "data not mounted",
        {"state": state(126), "report": report(exit=126, error=["mount", "no overlay"])},
        Verdict.INFRASTRUCTURE,
        "no overlay",
    ),
    ("no program", {"state": state(126), "report": report(exit=126, error=["exec", "'foo': no"])}, Verdict.EXIT, "127"),
    ("engine had to kill, timeout", {"state": state(137), "stop": StopReason.TIMEOUT}, Verdict.TIMEOUT, "5 s"),
    ("engine had to kill, cancel", {"state": state(137), "stop": StopReason.CANCELLED}, Verdict.CANCELLED, "cancelled"),
    ("cold passed", {"state": state(0), "has_agent": False}, Verdict.PASSED, "exit 0"),
    ("cold 137", {"state": state(137), "has_agent": False}, Verdict.EXIT, "SIGKILL or with that status"),
    ("cold memory", {"state": state(137, oom=True), "has_agent": False}, Verdict.OOM, "512 MiB"),
    ("cold timed out", {"state": state(143), "has_agent": False, "stop": StopReason.TIMEOUT}, Verdict.TIMEOUT, "5 s"),
    (
        "cold, no such program",
        {"start_error": 'exec: "foo": executable file not found in $PATH', "has_agent": False},
        Verdict.EXIT,
        "127",
    ),
    ("not started", {"start_error": "no such device"}, Verdict.INFRASTRUCTURE, "no such device"),
]


@pytest.mark.parametrize(
    ("evidence", "verdict", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_verdict(evidence: dict[str, Any], verdict: Verdict, words: str) -> None:
    judged = judge(Evidence(limits=LIMITS, **evidence))
    assert judged.verdict is verdict
    assert words in judged.reason


def test_only_an_ended_container_with_exit_0_and_no_stop_passes() -> None:
    """Over the whole product of what can be seen: a pass needs every witness to agree."""
    for status in ("exited", "running", "created"):
        for code in (0, 1, 137):
            for told in (None, report(exit=0), report(exit=1), report(signal=9), report(exit=0, stopped="timeout")):
                for lost in ("", "gone"):
                    for sink in ("", "full"):
                        evidence = Evidence(
                            limits=LIMITS, state=state(code, status=status), report=told, lost=lost, sink_error=sink
                        )
                        honest = status == "exited" and code == 0 and told == report(exit=0) and not lost and not sink
                        assert (judge(evidence).verdict is Verdict.PASSED) == honest


def test_a_pass_despite_a_memory_kill_is_warned_of() -> None:
    judged = judge(Evidence(limits=LIMITS, state=state(0), report=report(exit=0, oom_kills=2)))
    assert judged.verdict is Verdict.PASSED
    assert "killed for memory" in judged.warnings[0]


def test_a_contradiction_is_a_fault_of_ours_unless_somebody_killed_the_agent() -> None:
    for code, ours in ((137, False), (1, True), (143, True)):
        judged = judge(Evidence(limits=LIMITS, state=state(code), report=report(exit=0)))
        assert (judged.verdict, judged.exit_code, judged.own_fault) == (Verdict.INFRASTRUCTURE, code, ours)


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"report": report(exit=0)}, True),
        ({"report": report(exit=0), "stop": StopReason.CANCELLED}, True),  # it came too late
        ({"report": report(exit=0, oom_kills=1)}, True),
        ({"report": report(exit=0, stopped="cancelled")}, False),
        ({"report": report(exit=0, error=["mount", "no"])}, False),
        ({"report": report(exit=3)}, False),
        ({"report": report(signal=9)}, False),
        ({"report": report(exit=0), "sink_error": "No space"}, False),
        ({"report": report(exit=0), "lost": "gone"}, False),
        ({"report": None}, False),
    ],
)
def test_nothing_but_a_pass_is_believed_before_the_engine_was_asked(fields: dict[str, Any], passes: bool) -> None:
    assert has_passed(Evidence(limits=LIMITS, **fields)) is passes
