"""The benchmark tells what it found: a promise that is not met says so, and so does a measurement that failed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from bench import __main__ as program
from bench import startup
from bench.bench import Bench, Effort, MeasurementError
from bench.chain import Times
from bench.figures import Figure, table

MET = Figure("short", "<= 2x", "1.00x", True)
MISSED = Figure("a longer promise", "<= 1.05x docker run", "1.20x", False)
OPEN = Figure("no goal", "-", "3.0 s", None)


def test_columns_are_aligned_and_verdicts_said() -> None:
    lines = table([MET, MISSED, OPEN]).splitlines()
    starts = {line.index(text) for line, text in zip(lines[2:], ("<= 2x", "<= 1.05x", "-"), strict=True)}
    assert len(starts) == 1
    assert [line.split("  ")[-1].strip() for line in lines[2:4]] == ["met", "NOT MET"]
    assert lines[4].endswith("3.0 s")


def test_what_both_sides_do_once_cancels_out() -> None:
    times = Times(runner_many=[5.0, 5.0], runner_one=[1.4], docker_many=[4.0], docker_one=[0.4, 0.4])
    assert times.per_step(10) == pytest.approx((0.4, 0.4))


@pytest.mark.parametrize(("outcome", "code"), [([MISSED], 0), (MeasurementError("no image"), 1)])
def test_only_a_failed_measurement_fails(
    outcome: object, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answers(bench: Bench) -> list[Figure]:
        if isinstance(outcome, Exception):
            raise outcome
        return [MISSED]

    answers.__module__ = startup.__name__
    monkeypatch.setattr(startup, "answers", answers)
    file = tmp_path / "bench.json"
    assert program.measure(argparse.Namespace(quick=True, only="startup.answers", json=file)) == code
    told = capsys.readouterr()
    document = json.loads(file.read_text())
    if code:
        assert "no image" in told.err
        assert "0 not met, 1 could not be measured" in told.out
        assert document["failures"]
    else:
        assert "NOT MET" in told.out
        assert [figure["met"] for figure in document["figures"]] == [False]


def test_a_command_that_fails_is_no_figure() -> None:
    with Bench(Effort(quick=True)) as bench:
        place = bench.place("x")
        with pytest.raises(MeasurementError, match="ended with 3"):
            bench.seconds(["sh", "-c", "exit 3"])
    assert not place.exists()
