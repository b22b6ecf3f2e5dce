"""From what a script did to what a person should know before SageMaker runs it. Pure; no finding changes a verdict.

Silence is never a claim: where a witness was missing (see `agent/trace.py`), nothing is said of what it would have
seen. Writes into data inputs are not told: unpacking an archive where it lies is common, and the copy is private.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from runner.sagemaker import paths
from runner.sagemaker.job import Code, ContainerJob

ML = "/opt/ml"
SHOWN = 5
"""Paths or addresses of a kind that are told; the others are counted, and stand in `trace.json`."""
_PLATFORM = (paths.CONFIG, paths.TRAINING_CONFIG)
"""Where libraries look for files that a job of their kind need not have."""
_COMPILED = (".pyx", ".pxi", ".pxd")
"""Sources of compiled modules, which an interpreter looks for when it prints a traceback."""
_SELF = ("localhost", "::1", "0.0.0.0", "::")  # noqa: S104  names for itself; nothing is bound here


def findings(trace: Mapping[str, Any], job: ContainerJob, *, passed: bool) -> tuple[str, ...]:
    """One sentence each. `trace` is what the agent told, and of one of several instances its `peers`; `passed`: the
    script ended with exit 0."""
    return (
        *_untraced(trace),
        *(_idle_inputs(trace, job) if passed else ()),
        *_thrown_away(trace, job),
        *_not_there(trace, job, passed=passed),
        *(_connections(trace, job) if job.network == "none" else ()),
    )


def _untraced(trace: Mapping[str, Any]) -> Iterator[str]:
    """Told where the user can change it; that a shell or a program without Python is not traced is no news."""
    why = str(trace.get("why", ""))
    if "older than" in why or "is started with -" in why:
        yield f"what the script did could not be traced: {why}"


def _idle_inputs(trace: Mapping[str, Any], job: ContainerJob) -> Iterator[str]:
    known = trace.get("inputs", {})
    for item in job.inputs:
        if isinstance(item.source, Code):
            continue
        if known.get(item.name) == "untouched":
            yield f"input '{item.name}' was never read"
        elif known.get(item.name) == "listed":
            yield f"input '{item.name}' was listed, but none of its files was read"


def _thrown_away(trace: Mapping[str, Any], job: ContainerJob) -> Iterator[str]:
    written: dict[str, str] = dict(trace.get("writes", ()))
    written |= {path: path for path in trace.get("left", ()) if path not in written.values()}
    lost = [path for path, real in written.items() if _is_lost(real, job)]
    if lost:
        saves = job.step_type == "training" and any(_below(path, [paths.CHECKPOINTS]) for path in lost)
        cure = f" (`checkpoints: DIRECTORY` keeps {paths.CHECKPOINTS})" if saves else ""
        yield f"SageMaker throws away what is written outside of the outputs{cure}: {_some(sorted(lost))}"


def _is_lost(path: str, job: ContainerJob) -> bool:
    if path == job.exit_message or path in {item.target for item in job.config}:
        return False
    if _below(path, [output.target for output in job.outputs]):
        return False
    holding = sorted((item for item in job.inputs if _below(path, [item.target])), key=lambda item: len(item.target))
    if holding:
        return isinstance(holding[-1].source, Code)
    if job.step_type == "training" and _below(path, _kept_beside_outputs(job)):
        return False
    return _below(path, [ML]) or not any(part.startswith(".") for part in PurePosixPath(path).parts)


def _kept_beside_outputs(job: ContainerJob) -> tuple[str, ...]:
    """What training keeps; checkpoints only where the request has a CheckpointConfig."""
    checkpoints = () if job.checkpoints is None else (paths.CHECKPOINTS,)
    return (*checkpoints, paths.OUTPUT_INTERMEDIATE)


def _not_there(trace: Mapping[str, Any], job: ContainerJob, *, passed: bool) -> Iterator[str]:
    """A script may try paths and go on: outside /opt/ml a missing file is told only where the script failed."""
    data = [item.target for item in job.inputs] + [item.target for item in job.outputs]
    declared = [*data, paths.CHECKPOINTS, *_PLATFORM]
    own = {path for path, _ in trace.get("writes", ())} | {job.exit_message}
    strange = [path for path in trace.get("reads", ()) if _below(path, [ML, "/.runner"])]
    strange = [path for path in strange if path not in own and not _below(path, declared)]
    if strange:
        yield f"read what no input declares, and SageMaker would not have there: {_some(sorted(strange))}"
    missing = [path for path in trace.get("missing", ()) if not _below(path, declared) and path != job.exit_message]
    missing = [path for path in missing if not path.endswith(_COMPILED)]
    told = [path for path in missing if _below(path, [ML])] if passed else missing
    if told:
        yield f"tried to read what is not there, and no input declares: {_some(sorted(told))}"


def _connections(trace: Mapping[str, Any], job: ContainerJob) -> Iterator[str]:
    """Under isolation "network traffic is limited to the peers of each container" (developer guide, "Run Training and
    Inference Containers in Internet-Free Mode"), and it is so here."""
    peers = trace.get("peers", {})
    here = {*_SELF, job.hostname, *(member.hostname for member in job.members), *peers, *peers.values()}
    others = [where for where in trace.get("connections", ()) if not _is_among(here, where)]
    if others:
        yield f"tried to connect, and the step has no network (`network: bridge` gives it one): {_some(others)}"


def _is_among(hosts: Collection[str], where: str) -> bool:
    """`where`: a host, or a host and a port."""
    host = where.rpartition(":")[0] or where
    return where in hosts or host in hosts or host.startswith("127.")


def _below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
