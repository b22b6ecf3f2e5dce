"""The client of a transform step: its command, what it said, and the verdict that follows from that and from the
server's end. Pure."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from runner.agent import batch_source
from runner.engine.base import Launch, Outcome, StopReason, Verdict
from runner.engine.credentials import Credentials
from runner.engine.masking import beginning, hidden
from runner.sagemaker.job import Transform
from runner.spec.mounts import TRANSFORM

PORT = 8080
SHOWN = 300
"""Characters of what the server said that are shown of a failure."""


def client_command(transform: Transform, python: str) -> tuple[str, ...]:
    """The words that run the client with an interpreter. The data and the output are at their places in `TRANSFORM`."""
    config = {**dataclasses.asdict(transform), "data": TRANSFORM["data"], "output": TRANSFORM["output"], "port": PORT}
    return (python, "-I", "-S", "-B", "-c", batch_source(), json.dumps(config))


def server_part(launch: Launch) -> Launch:
    """What of a transform step's launch the server sees; the model is not unpacked yet."""
    mounts = tuple(item for item in launch.job.inputs if item.name == "model")
    job = dataclasses.replace(launch.job, inputs=mounts, outputs=())
    bound = tuple(item for item in launch.inputs if item.name == "model")
    return dataclasses.replace(launch, job=job, inputs=bound, outputs=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """The client's end. With neither `done` nor `refused` it is the fault of this machine, or of the server's end."""

    done: str = ""
    """What was answered and written, in words: every record of every file."""
    refused: str = ""
    """What the server, or the data, did that SageMaker fails a job for."""
    fault: str = ""
    """What went wrong with the client itself."""
    broken: bool = False
    """The connection broke off, or there was none: the server may have ended."""
    notes: tuple[str, ...] = ()


def posted(outcome: Outcome, said: bytes, complained: bytes, credentials: Credentials | None = None) -> Posted:
    """From how the client's container ended, and its two streams. A server may say its credentials: none are left."""
    return hidden(credentials, _posted(outcome, said, complained, credentials))


def _posted(outcome: Outcome, said: bytes, complained: bytes, credentials: Credentials | None) -> Posted:
    if outcome.verdict is not Verdict.PASSED:
        last = complained.decode("utf-8", "replace").strip().rpartition("\n")[2]
        words = f"the container that posts the data failed: {outcome.reason}" + (f" ({last})" if last else "")
        return Posted(fault=words, broken=True)
    try:
        found = json.loads(said)
        notes = tuple(found["notes"])
        if found["done"]:
            return Posted(done=_done(found["files"], found["requests"], found["records"]), notes=notes)
        kind, words, answer = found["kind"], found["words"], found["answer"]
        words += f": {beginning(credentials, answer, SHOWN)}" if answer else ""
    except (ValueError, KeyError, TypeError) as error:
        return Posted(fault=f"the container that posts the data did not say how it ended ({error!r})")
    if kind == "disk":
        return Posted(fault=f"the data could not be read, or the answers not be written: {words}", notes=notes)
    return Posted(refused=words, broken=kind == "connection", notes=notes)


def _done(files: int, requests: int, records: int) -> str:
    return f"{_count(requests, 'request')} answered, of {_count(records, 'record')} in {_count(files, 'file')}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def judge(server: Outcome, told: Posted, stopped: StopReason | None) -> Outcome:
    """The step's outcome. `server` is how the server's container ended, after it was told to stop at the latest: then
    its verdict is cancelled. `stopped` is what somebody else than this step asked for."""
    warnings = (*server.warnings, *told.notes)
    if server.verdict in (Verdict.INFRASTRUCTURE, Verdict.TIMEOUT):
        return dataclasses.replace(server, warnings=warnings)
    if stopped is not None:
        reason = "stopped because the run was cancelled"
        return dataclasses.replace(server, verdict=Verdict.CANCELLED, reason=reason, warnings=warnings)
    if told.done:
        return dataclasses.replace(
            server, verdict=Verdict.PASSED, exit_code=0, signal=None, reason=told.done, warnings=warnings
        )
    if server.verdict is Verdict.OOM:
        reason = f"the server was killed for memory before all was answered: {server.reason}"
        return dataclasses.replace(server, reason=reason, warnings=warnings)
    if server.verdict is not Verdict.CANCELLED and (told.broken or not told.refused):
        reason = f"the server ended before all was answered: {server.reason}"
        return dataclasses.replace(server, verdict=Verdict.EXIT, reason=reason, warnings=warnings)
    verdict, reason = (Verdict.TRANSFORM, told.refused) if told.refused else (Verdict.INFRASTRUCTURE, told.fault)
    return dataclasses.replace(server, verdict=verdict, exit_code=None, signal=None, reason=reason, warnings=warnings)
