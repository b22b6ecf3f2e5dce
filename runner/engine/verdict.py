"""From what the engine and the agent saw to one verdict in words. Pure: the whole truth table is tested without Docker.

The engine's inspect says the exit code; the agent's report says what an exit code cannot (137 as a status or as a
signal, memory kills of a child, who asked for the stop). Where the two contradict each other, the verdict is
infrastructure: nothing here may turn a doubt into a pass.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.engine.base import StopReason, Verdict
from runner.sagemaker.job import Limits

EXIT_NOT_FOUND = 127
KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known when a container has ended."""

    limits: Limits
    state: Mapping[str, Any] | None = None
    """`State` of the engine's inspect; None when the container is no longer there."""
    report: Mapping[str, Any] | None = None
    """The agent's report; None when there is none."""
    has_agent: bool = True
    stop: StopReason | None = None
    """What the runner itself asked for, if anything."""
    lost: str = ""
    """Why the engine can no longer be asked."""
    sink_error: str = ""
    """Why the step's output could not be written."""
    start_error: str = ""
    """The engine's words when it could not start the container."""


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    exit_code: int | None
    signal: str | None
    reason: str
    warnings: tuple[str, ...] = ()
    peer: bool = False
    """Stopped because another instance of its step had failed."""
    own_fault: bool = False
    """The agent said one thing and did another, and nobody killed it."""


def judge(evidence: Evidence) -> Judgement:
    """The verdict for one ended container. Total: every combination of evidence gives one."""
    if evidence.sink_error:
        return _infrastructure(f"the step's output could not be written: {evidence.sink_error}")
    if evidence.start_error:
        return _not_started(evidence)
    if evidence.lost:
        return _infrastructure(f"the Docker engine was lost while the step ran: {evidence.lost}")
    if evidence.state is None or evidence.state.get("Status") == "removing":
        return _infrastructure("the container was removed from outside while the step ran")
    if evidence.state.get("Status") not in ("exited", "dead"):
        return _infrastructure(f"the engine says that the container is {evidence.state.get('Status')!r}, not ended")
    if evidence.report is not None:
        return _reported(evidence, evidence.state, evidence.report)
    return _unreported(evidence, evidence.state) if evidence.has_agent else _cold(evidence, evidence.state)


def _infrastructure(reason: str, code: int | None = None) -> Judgement:
    return Judgement(Verdict.INFRASTRUCTURE, code, None, reason)


def _not_started(evidence: Evidence) -> Judgement:
    """Docker refuses to start a container whose program is not there: the image's or the spec's fault, not Docker's."""
    words = evidence.start_error
    if not evidence.has_agent and ("executable file not found" in words or "no such file or directory" in words):
        return Judgement(Verdict.EXIT, EXIT_NOT_FOUND, None, f"exit 127: the entrypoint could not be started: {words}")
    if not evidence.has_agent and "permission denied" in words:
        return Judgement(Verdict.EXIT, 126, None, f"exit 126: the entrypoint could not be started: {words}")
    return _infrastructure(f"the engine could not start the container: {words}")


def _reported(evidence: Evidence, state: Mapping[str, Any], report: Mapping[str, Any]) -> Judgement:
    """The agent lived to the end and said what it saw."""
    if report.get("error"):
        kind, words = report["error"]
        if kind == "mount":
            return _infrastructure(f"the step's data could not be mounted: {words}")
        if kind == "agent":
            return _infrastructure(f"the script could not be started or watched: {words}")
        return Judgement(Verdict.EXIT, EXIT_NOT_FOUND, None, f"exit 127: {words}")
    number = report.get("signal")
    code = 128 + number if number else int(report["exit"])
    if state.get("ExitCode") != code:
        return _contradicted(state.get("ExitCode"), code)
    notes = tuple(report.get("notes", ()))
    stopped = str(report.get("stopped") or "")
    if stopped:
        return _stopped(evidence, stopped, code, number, notes)
    memory = bool(report.get("oom_kills")) or bool(state.get("OOMKilled"))
    if code == 0:
        if memory:
            notes += ("a process of this step was killed for memory, and the script still exited 0",)
        return Judgement(Verdict.PASSED, 0, None, "exit 0", notes)
    if memory and code == 137:
        return Judgement(Verdict.OOM, code, "SIGKILL", _out_of_memory(evidence.limits, code), notes)
    if number:
        name = _signal_name(number)
        return Judgement(
            Verdict.EXIT, code, name, f"exit {code}: the script was ended by {name}, not by the runner", notes
        )
    words = f"exit {code}"
    if code > 128 and _signal_name(code - 128):
        words += f": the script's own exit status; it was not killed by {_signal_name(code - 128)}"
    if memory:
        words += "; a process of this step was killed for memory" + _limit(evidence.limits)
    return Judgement(Verdict.EXIT, code, None, words, notes)


def _contradicted(engine: Any, agent: int) -> Judgement:
    """Nothing but SIGKILL ends an agent that has reported, before it is told to go."""
    words = f"the engine reports exit {engine} and the agent {agent}"
    if engine == KILLED:
        return _infrastructure(f"{words}: killed from outside at its end", engine)
    return dataclasses.replace(_infrastructure(f"{words}: a fault of run-pipeline itself", engine), own_fault=True)


def _stopped(evidence: Evidence, stopped: str, code: int, number: int | None, notes: tuple[str, ...]) -> Judgement:
    """Somebody asked it to stop, and it ended after that: even exit 0 is then not a pass."""
    name = _signal_name(number) if number else None
    how = f"ended by {name}" if name else f"it exited {code} after SIGTERM"
    if stopped == StopReason.TIMEOUT:
        return Judgement(Verdict.TIMEOUT, code, name, _timed_out(evidence.limits, how), notes)
    if stopped == StopReason.CANCELLED:
        return Judgement(Verdict.CANCELLED, code, name, f"stopped because the run was cancelled ({how})", notes)
    if stopped == StopReason.PEER:
        return _for_a_peer(code, name, how, notes)
    if stopped.startswith("outside:"):
        return _infrastructure(f"the container was stopped from outside with {stopped.partition(':')[2]}", code)
    return _infrastructure("the container lost its connection to the runner and stopped itself", code)


def _unreported(evidence: Evidence, state: Mapping[str, Any]) -> Judgement:
    """The agent did not live to the end: something killed PID 1."""
    code = state.get("ExitCode")
    if evidence.stop is StopReason.TIMEOUT:
        return Judgement(Verdict.TIMEOUT, code, "SIGKILL", _timed_out(evidence.limits, "the container was killed"))
    if evidence.stop is StopReason.CANCELLED:
        return Judgement(Verdict.CANCELLED, code, None, "stopped because the run was cancelled")
    if evidence.stop is StopReason.PEER:
        return _for_a_peer(code, "SIGKILL", "the container was killed")
    if state.get("OOMKilled"):
        return Judgement(Verdict.OOM, code, "SIGKILL", _out_of_memory(evidence.limits, code))
    if code == 137:
        return _infrastructure("the container was killed from outside with SIGKILL", code)
    return _infrastructure(f"the container ended with exit {code} and without the agent's report", code)


def _cold(evidence: Evidence, state: Mapping[str, Any]) -> Judgement:
    """No agent in the image: only the engine's word."""
    code = int(state.get("ExitCode", -1))
    name = _signal_name(code - 128) if code > 128 else None
    if evidence.stop is StopReason.TIMEOUT:
        return Judgement(Verdict.TIMEOUT, code, name, _timed_out(evidence.limits, f"it ended with exit {code}"))
    if evidence.stop is StopReason.CANCELLED:
        return Judgement(Verdict.CANCELLED, code, name, f"stopped because the run was cancelled (exit {code})")
    if evidence.stop is StopReason.PEER:
        return _for_a_peer(code, name, f"it ended with exit {code}")
    if state.get("OOMKilled") and code != 0:
        return Judgement(Verdict.OOM, code, name, _out_of_memory(evidence.limits, code))
    if code == 0:
        notes = ("a process of this step was killed for memory",) if state.get("OOMKilled") else ()
        return Judgement(Verdict.PASSED, 0, None, "exit 0", notes)
    words = f"exit {code}"
    if name:
        words += f": ended by {name} or with that status of its own (the image has no Python, so they look alike)"
    return Judgement(Verdict.EXIT, code, None, words)


def _for_a_peer(code: int | None, name: str | None, how: str, notes: tuple[str, ...] = ()) -> Judgement:
    reason = f"stopped because another instance had failed ({how})"
    return Judgement(Verdict.CANCELLED, code, name, reason, notes, peer=True)


def _timed_out(limits: Limits, how: str) -> str:
    return f"stopped after its time-out of {_number(limits.timeout or 0)} s ({how})"


def _out_of_memory(limits: Limits, code: int | None) -> str:
    return f"exit {code}: killed for memory" + (_limit(limits) or ": the machine has no more")


def _limit(limits: Limits) -> str:
    return f" at its limit of {_size(limits.memory)}" if limits.memory else ""


def _size(size: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{_number(size / factor)} {unit}"
    return f"{size} bytes"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None
