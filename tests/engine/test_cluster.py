"""Several instances as one: the verdict's truth table, the streams, and faults on the way."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from engine import contract
from engine.test_fake_engine import factory

from runner.engine.base import HostOutcome, Launch, Outcome, StopReason, Verdict
from runner.engine.cluster import combine
from runner.engine.fake import Canned, FakeEngine, infrastructure
from runner.engine.hoststreams import LONGEST, HostSink, Merged
from runner.errors import EnvironmentFault

ENDS = {
    "passed": (Verdict.PASSED, False),
    "peer": (Verdict.CANCELLED, True),
    "exit": (Verdict.EXIT, False),
    "oom": (Verdict.OOM, False),
    "timeout": (Verdict.TIMEOUT, False),
    "cancelled": (Verdict.CANCELLED, False),
    "infrastructure": (Verdict.INFRASTRUCTURE, False),
}
"""In the order of their weight: the last of those that happened counts."""


def host(number: int, end: str) -> HostOutcome:
    verdict, peer = ENDS[end]
    return HostOutcome(
        host=f"algo-{number}", container_id="c", verdict=verdict, exit_code=number, signal=None, reason=end,
        seconds=1.0, peer=peer,
    )  # fmt: skip


@pytest.mark.parametrize("ends", list(itertools.product(ENDS, repeat=3)), ids="-".join)
def test_the_worst_end_counts(ends: tuple[str, ...]) -> None:
    combined = combine([host(number, end) for number, end in enumerate(ends, 1)])
    worst = max(ends, key=list(ENDS).index)
    if worst == "peer":  # stopped for a failure that nobody saw
        assert combined.verdict is Verdict.INFRASTRUCTURE
        return
    assert combined.verdict is ENDS[worst][0]
    if worst == "passed":
        assert (combined.host, combined.exit_code) == ("", 0)
        return
    decided = ends.index(worst) + 1
    assert (combined.host, combined.exit_code) == (f"algo-{decided}", decided)
    assert combined.reason.startswith(f"algo-{decided}")
    for number, end in enumerate(ends, 1):
        assert (f"algo-{number}" in combined.reason) is (end not in ("passed", "peer"))


def test_hosts_that_failed_alike_are_told_together() -> None:
    ends = [host(1, "exit"), host(2, "timeout"), *(host(number, "exit") for number in range(3, 8))]
    assert combine(ends).reason == "algo-2: timeout; algo-1, algo-3, algo-4 and 3 more: exit"


def test_no_host_at_all_is_no_pass() -> None:
    assert combine([]).verdict is Verdict.INFRASTRUCTURE


def sink(tmp_path: Path, merged: Merged) -> HostSink:
    (made,) = contract.clustered(factory(FakeEngine(), tmp_path), "any").members
    return HostSink(made, "stdout", merged)


def test_lines_are_whole_and_long_ones_come_in_pieces(tmp_path: Path) -> None:
    got: list[bytes] = []
    with sink(tmp_path, Merged(got.append)) as write:
        for piece in (b"a", b"b\nc\n", b"", b"d"):
            write(piece)
        assert got == [b"algo-1 | ab\nalgo-1 | c\n"]
        write(b"\n\r50%\r100%")
        write(b"x" * LONGEST)
        write(b"end")
    assert b"".join(got) == (
        b"algo-1 | ab\nalgo-1 | c\nalgo-1 | d\nalgo-1 | \r50%\r100%" + b"x" * LONGEST + b"\nalgo-1 | end\n"
    )
    (file,) = tmp_path.glob("steps/*/logs/stdout")
    assert file.read_bytes() == b"ab\nc\nd\n\r50%\r100%" + b"x" * LONGEST + b"end"


def run(engine: FakeEngine, made: Launch) -> Outcome:
    return contract.run(engine, made).outcome


def test_a_member_that_cannot_be_made_takes_the_others_back(tmp_path: Path) -> None:
    engine = FakeEngine()
    made = contract.clustered(factory(engine, tmp_path), "a", "b", "c")
    made.members[1].outputs[0].host.rmdir()
    with pytest.raises(EnvironmentFault, match="not a directory"):
        engine.prepare(made)
    assert len(engine.containers) == 2
    assert engine.leftovers() == []


def test_the_engine_s_end_is_infrastructure_and_names_the_host(tmp_path: Path) -> None:
    engine = FakeEngine({"lost": Canned(outcome=infrastructure("gone"))})
    outcome = run(engine, contract.clustered(factory(engine, tmp_path), "any", "lost"))
    assert (outcome.verdict, outcome.reason) == (Verdict.INFRASTRUCTURE, "algo-2: gone")


def test_a_full_disk_under_one_host_is_infrastructure(tmp_path: Path) -> None:
    engine = FakeEngine({"writes": Canned(stdout=b"x\n")})
    made = contract.clustered(factory(engine, tmp_path), "any", "writes")

    def refuse(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with contract.prepared(engine, made) as container:
        outcome = container.run(refuse, lambda _: None)
    assert (outcome.verdict, outcome.decided_by) == (Verdict.INFRASTRUCTURE, "algo-2")


def test_warnings_name_their_host(tmp_path: Path) -> None:
    warned = Outcome(
        verdict=Verdict.PASSED, exit_code=0, signal=None, reason="exit 0", started_at=None, finished_at=None,
        seconds=0.0, warnings=("a child was killed",),
    )  # fmt: skip
    engine = FakeEngine({"warns": Canned(outcome=warned)})
    outcome = run(engine, contract.clustered(factory(engine, tmp_path), "any", "warns"))
    assert outcome.warnings == ("algo-2: a child was killed",)


def test_one_that_cannot_be_stopped_keeps_no_other_running(tmp_path: Path) -> None:
    """The failing hook stands for an engine that does not answer."""

    def hook(point: str, step: str) -> None:
        if (point, step) == ("stop", "deaf"):
            raise EnvironmentFault("no answer", remedy="")

    engine = FakeEngine(hook=hook)
    made = contract.clustered(factory(engine, tmp_path), "deaf", "other")
    with contract.prepared(engine, made) as container, pytest.raises(EnvironmentFault, match="no answer"):
        container.stop(StopReason.CANCELLED, 0.5)
    (other,) = [each for each in engine.containers.values() if each.launch.job.step == "other"]
    assert other.stops == [(StopReason.CANCELLED, 0.5)]
