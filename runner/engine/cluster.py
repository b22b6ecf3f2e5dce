"""Several instances of one step, as one container: what SageMaker does with `InstanceCount` above 1.

1. All are waited for: one that ends well stops none of the others.
2. When one fails, the others are told to stop, with the step's own grace: they may wait for it for ever.
3. Of the members' verdicts the worst counts (`combine`), and the reason names its host.
4. Every line of the merged output carries its host; what a host wrote, byte by byte, lies in its own files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from runner.engine.base import Container, HostOutcome, Launch, Outcome, Sink, StopReason, Verdict
from runner.engine.hoststreams import HostSink, Merged
from runner.engine.masking import masking
from runner.errors import EnvironmentFault

_WORST_FIRST = (Verdict.INFRASTRUCTURE, Verdict.CANCELLED, Verdict.TIMEOUT, Verdict.OOM, Verdict.EXIT)
_NAMED = 3
Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Combined:
    """The verdict of a step from those of its hosts; `host` is the one that decided, empty when all passed."""

    verdict: Verdict
    host: str
    reason: str
    exit_code: int | None
    signal: str | None


def combine(ended: Sequence[HostOutcome]) -> Combined:
    """Of hosts in the order in which they ended. Total, and never better than the worst of them.

    A host that was stopped because another had failed says nothing by itself. Among equals the first that ended
    decides; every other that failed by itself is named behind it.
    """
    causes = [each for each in ended if each.verdict is not Verdict.PASSED and not each.peer]
    if not ended or (not causes and any(each.peer for each in ended)):
        return Combined(Verdict.INFRASTRUCTURE, "", "its hosts stopped each other, and none of them failed", None, None)
    if not causes:
        return Combined(Verdict.PASSED, "", f"exit 0 on all {len(ended)} hosts", 0, None)
    ranked = sorted(causes, key=lambda each: _WORST_FIRST.index(each.verdict))  # stable: time decides among equals
    worst = ranked[0]
    return Combined(worst.verdict, worst.host, _reasons(ranked), worst.exit_code, worst.signal)


def _reasons(failed: Sequence[HostOutcome]) -> str:
    """`algo-2: exit 3; algo-1, algo-4: exit 1`; of many hosts with one reason the first are named."""
    hosts: dict[str, list[str]] = {}
    for each in failed:
        hosts.setdefault(each.reason, []).append(each.host)
    parts = []
    for reason, names in hosts.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        parts.append(f"{', '.join(names[:_NAMED])}{more}: {reason}")
    return "; ".join(parts)


def create(members: Sequence[Launch], make: Callable[[Launch], Container], dismantle: Callable[[], None]) -> Cluster:
    """Make all containers at once. When one cannot be made, those that could are removed, and its error is raised."""
    made: list[Container] = []

    def one(launch: Launch) -> Container:
        container = make(launch)
        made.append(container)
        return container

    try:
        containers = _at_once(one, members)
    except BaseException:
        for container in made:
            container.remove()
        dismantle()
        raise
    return Cluster(members, containers, dismantle)


class Cluster:
    """Obeys `engine.base.Container`. `dismantle` removes what they share, when all of them are gone."""

    def __init__(
        self, members: Sequence[Launch], containers: Sequence[Container], dismantle: Callable[[], None]
    ) -> None:
        self.id = ",".join(container.id for container in containers)
        self.mode = containers[0].mode
        self.hosts = {launch.job.hostname: c for launch, c in zip(members, containers, strict=True)}
        self._members = tuple(members)
        self._dismantle = dismantle
        self._lock = threading.Lock()
        self._ended: list[HostOutcome] = []
        self._outcomes: list[Outcome] = []
        self._ran: set[str] = set()
        self._failed = False

    def run(self, stdout: Sink, stderr: Sink) -> Outcome:
        out, err = Merged(stdout), Merged(stderr)
        _at_once(lambda launch: self._run(launch, out, err), self._members)
        return self._combined()

    def confirm(self) -> Outcome:
        """Each that ran is asked about; then they are combined again."""

        def one(number: int) -> Outcome:
            host = self._ended[number].host
            return self.hosts[host].confirm() if host in self._ran else self._outcomes[number]

        self._outcomes = _at_once(one, range(len(self._ended)))
        self._ended = [_host(each.host, each.container_id, o) for each, o in self._pairs()]
        return self._combined()

    def _pairs(self) -> list[tuple[HostOutcome, Outcome]]:
        """In the order in which they ended."""
        return list(zip(self._ended, self._outcomes, strict=True))

    def _combined(self) -> Outcome:
        combined = combine(self._ended)
        first = self._outcomes[0]
        starts = [each.started_at for each in self._outcomes if each.started_at is not None]
        return Outcome(
            verdict=combined.verdict,
            exit_code=combined.exit_code,
            signal=combined.signal,
            reason=combined.reason,
            started_at=min(starts, default=None),
            finished_at=self._outcomes[-1].finished_at or first.finished_at,
            seconds=max(each.seconds for each in self._outcomes),
            warnings=tuple(f"{host.host}: {text}" for host, outcome in self._pairs() for text in outcome.warnings),
            private=next((each.private for each in self._outcomes if each.private), ()),
            trace=_traces(self._pairs()),
            hosts=tuple(sorted(self._ended, key=lambda each: each.host)),
            decided_by=combined.host,
            own_fault=any(each.own_fault for each in self._outcomes),
        )

    def stop(self, reason: StopReason, grace: float) -> None:
        """One that cannot be told does not keep the others from being told."""
        self._stop(self.hosts.values(), reason, grace)

    def remove(self) -> None:
        try:
            _at_once(lambda container: container.remove(), tuple(self.hosts.values()))
        finally:
            self._dismantle()

    def _run(self, launch: Launch, out: Merged, err: Merged) -> None:
        host = launch.job.hostname
        container = self.hosts[host]
        outcome = self._outcome(container, launch, out, err)
        ended = _host(host, container.id, outcome)
        with self._lock:
            self._ended.append(ended)
            self._outcomes.append(outcome)
            first = outcome.verdict is not Verdict.PASSED and not self._failed
            self._failed = self._failed or first
            done = {each.host for each in self._ended}
        if first:
            others = [each for name, each in self.hosts.items() if name not in done]
            self._stop(others, StopReason.PEER, launch.job.limits.grace)

    def _outcome(self, container: Container, launch: Launch, out: Merged, err: Merged) -> Outcome:
        if self._failed:
            return _never(Verdict.CANCELLED, "another instance had failed before it started", peer=True)
        try:
            with (
                HostSink(launch, "stdout", out) as own_out,
                HostSink(launch, "stderr", err) as own_err,
                masking(launch.credentials, own_out, own_err) as (stdout, stderr),
            ):
                container.run(stdout, stderr)
                outcome = container.confirm()  # not later: one that has ended must be gone for its peers
                self._ran.add(launch.job.hostname)
        except EnvironmentFault as error:
            return _never(Verdict.INFRASTRUCTURE, str(error))
        except OSError as error:
            return _never(Verdict.INFRASTRUCTURE, f"its output could not be written: {error}")
        except BaseException:
            self.stop(StopReason.PEER, 0.0)  # a fault of ours: nothing may wait for this one
            raise
        return outcome

    def _stop(self, containers: Iterable[Container], reason: StopReason, grace: float) -> None:
        faults = []
        for container in containers:
            try:
                container.stop(reason, grace)
            except EnvironmentFault as error:
                faults.append(error)
        if faults:
            raise faults[0]


def _never(verdict: Verdict, reason: str, *, peer: bool = False) -> Outcome:
    """The end of a member that the engine gave none for."""
    return Outcome(
        verdict=verdict, exit_code=None, signal=None, reason=reason, started_at=None, finished_at=None, seconds=0.0,
        peer=peer,
    )  # fmt: skip


def _host(host: str, container: str, outcome: Outcome) -> HostOutcome:
    return HostOutcome(
        host=host,
        container_id=container,
        verdict=outcome.verdict,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        reason=outcome.reason,
        seconds=round(outcome.seconds, 3),
        peer=outcome.peer,
    )


def _traces(pairs: Sequence[tuple[HostOutcome, Outcome]]) -> dict[str, Any] | None:
    """What each instance did, by its host; None when nobody looked."""
    ranked = sorted(pairs, key=lambda pair: pair[0].host)
    traces = {host.host: outcome.trace for host, outcome in ranked if outcome.trace is not None}
    return {"hosts": traces} if traces else None


def _at_once(work: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    """A thread for each; returns, or raises the first error, when all of them have ended."""
    with ThreadPoolExecutor(max(1, len(items)), thread_name_prefix="host") as pool:
        futures = [pool.submit(work, item) for item in items]
        wait(futures)
    return [future.result() for future in futures]
