"""The benchmark tells what it found: a promise that is not met says so, and so does a measurement that failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench import __main__ as program
from bench import run, startup
from bench.bench import Bench, Effort, MeasurementError, NotAvailableError
from bench.chain import Times
from bench.figures import Figure, table
from bench.results import Results

MET = Figure("short", "<= 2x", "1.00x", True)
MISSED = Figure("a longer promise", "<= 1.05x docker run", "1.20x", False)
MACHINE = dict.fromkeys(("cores", "memory", "system", "docker", "python", "load"), "1")
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


def test_noise_is_no_cost_of_a_step() -> None:
    times = Times(runner_many=[5.0], runner_one=[1.4], docker_many=[0.3], docker_one=[0.4])
    with pytest.raises(MeasurementError, match="too busy"):
        times.per_step(10)


@pytest.mark.parametrize("outcome", [[MISSED], NotAvailableError("no image"), MeasurementError("no container")])
def test_a_measurement_that_fails_is_told_and_stops_no_other(
    outcome: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answers(bench: Bench) -> list[Figure]:
        if isinstance(outcome, Exception):
            raise outcome
        return [MISSED]

    monkeypatch.setattr(startup, "answers", answers)
    monkeypatch.setattr(startup, "plugin", lambda bench: [MET])
    results = run.measure(["startup.answers", "startup.plugin"], quick=True)
    told = capsys.readouterr()
    assert MET in results.figures
    if outcome == [MISSED]:
        assert "NOT MET" in told.out
        assert "1 met, 1 not met;" in told.out
    elif isinstance(outcome, NotAvailableError):
        assert results.failures == []
        assert "could not be measured: no image" in told.out
        assert "1 met, 0 not met, 1 not available;" in told.out
    else:
        assert results.failures == ["startup.answers: MeasurementError: no container"]
        assert "no container" in told.err
        assert "1 met, 0 not met, 1 could not be measured;" in told.out


def test_only_a_failed_measurement_or_a_broken_promise_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = Results(True, MACHINE, figures=[MISSED])
    monkeypatch.setattr(run, "measure", lambda names, quick: found)
    file = tmp_path / "bench.json"
    arguments = ["--quick", "--only", "startup", "--json", str(file)]
    assert run.main(program.parser().parse_args(arguments)) == 0
    assert Results.from_json(json.loads(file.read_text())) == found
    assert run.main(program.parser().parse_args([*arguments, "--check"])) == 1
    found.failures.append("something")
    assert run.main(program.parser().parse_args(arguments)) == 1


def test_words_that_name_nothing_and_halves_that_would_be_kept_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(program.parser().parse_args(["--only", "start-up"])) == 2
    assert "no measurement has 'start-up' in its name" in capsys.readouterr().err
    assert run.main(program.parser().parse_args(["--only", "startup", "--save"])) == 2
    assert "leave --only out" in capsys.readouterr().err


def test_every_measurement_is_there() -> None:
    for name in run.MEASUREMENTS:
        assert callable(run.function(name)), name
    with pytest.raises(NotAvailableError, match=r"there is no bench/nothing\.py"):
        run.function("nothing.at_all")


def test_a_command_that_fails_is_no_figure() -> None:
    with Bench(Effort(quick=True)) as bench:
        place = bench.place("x")
        with pytest.raises(MeasurementError, match="ended with 3"):
            bench.seconds(["sh", "-c", "exit 3"])
    assert not place.exists()
