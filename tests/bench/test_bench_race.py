"""The races: who runs when, what is compared with what, and what becomes of it when one contender fails."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import loads, race, shell
from bench.bench import Bench, Effort, MeasurementError, NotAvailableError
from bench.contenders import COLD, DOCKER, HOST, STAGED, WARM, Contender, HostChain
from bench.loads import Load
from bench.local_mode import LOCAL
from bench.promises import GOALS, of_races
from bench.race import Race
from bench.results import race_rows


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(Effort(quick=True)) as made:
        yield made


class Fake(Contender):
    """Writes `text`, and notes what is called."""

    calls: list[str]

    def __init__(self, bench: Bench, load: Load, shared: Path, name: str, text: str = "same") -> None:
        self.name, self.text = name, text
        super().__init__(bench, load, shared)

    def ready(self) -> None:
        if self.text == "missing":
            raise NotAvailableError("no such program")

    def run(self) -> dict[str, float]:
        self.calls.append(self.name)
        if self.text == "fail":
            raise MeasurementError("it failed")
        for node in self.load.nodes:
            (self.root / "out" / node.name).mkdir(parents=True)
            (self.root / "out" / node.name / "file").write_text(self.text)
        return {self.name: 1.0}

    def close(self) -> None:
        self.calls.append(f"{self.name} closed")


def _race(monkeypatch: pytest.MonkeyPatch, bench: Bench, rounds: int, **texts: str) -> tuple[Race | None, list[str]]:
    calls: list[str] = []
    monkeypatch.setattr(Fake, "calls", calls, raising=False)

    def maker(name: str, text: str) -> race.Maker:
        return lambda bench, load, shared: Fake(bench, load, shared, name, text)

    makers = tuple(maker(name, text) for name, text in texts.items())
    monkeypatch.setitem(race.RACES, "test", race.Entry(lambda _: loads.trivial(2), makers, 4, rounds))
    if "fail" in texts.values():
        with pytest.raises(MeasurementError, match="it failed"):
            race.run("test", bench)
        return None, calls
    return race.run("test", bench), calls


def test_every_second_round_goes_the_other_way(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    found, calls = _race(monkeypatch, bench, 2, a="same", b="same")
    assert found is not None
    assert calls == ["a", "b", "a", "b", "b", "a", "b closed", "a closed"]  # the first round warms up
    assert found.rounds == [{"a": 1.0, "b": 1.0}] * 2


def test_contenders_that_write_different_files_are_no_race(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    with pytest.raises(MeasurementError, match="wrote different files"):
        _race(monkeypatch, bench, 1, a="same", b="other")


def test_a_contender_that_fails_ends_the_race_and_all_are_closed(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    _, calls = _race(monkeypatch, bench, 1, a="same", b="fail")
    assert calls == ["a", "b", "b closed", "a closed"]


def test_who_cannot_take_part_is_told(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    found, calls = _race(monkeypatch, bench, 1, a="same", b="missing")
    assert found is not None
    assert calls == ["a", "a", "a closed"]  # the first round warms up
    assert ["b", "could not be measured: no such program", "", "", ""] in race_rows(found)
    with pytest.raises(NotAvailableError, match="no such program"):
        found.ratio("a", "b")


def test_a_ratio_is_of_one_round() -> None:
    found = Race("x", "x", [{"a": 1.0, "b": 2.0}, {"a": 9.0}, {"a": 3.0, "b": 3.0}, {"a": 4.0, "b": 1.0}])
    ratio = found.ratio("a", "b")
    assert (ratio.least, ratio.median, ratio.most, ratio.count) == (0.5, 1.0, 4.0, 3)
    assert ratio.ratio() == "1.00x (0.50 to 4.00)"
    assert found.seconds("a").count == 4


def test_promises_come_from_the_races_that_were_run() -> None:
    rounds = [{COLD: 3.0, WARM: 0.2, DOCKER: 4.0, HOST: 2.0}]
    cold, warm = sorted(of_races({"pandas": Race("pandas", "x", rounds)}), key=lambda figure: figure.promise)
    assert (cold.value, cold.limit, cold.met) == (0.75, 0.75, True)
    assert (warm.value, warm.met, warm.goal) == (0.1, True, "<= 0.15x python script.py")
    (big,) = of_races({"big": Race("big", "x", [{DOCKER: 1.0}], {STAGED: "no image"})})
    assert (big.verdict, big.measured) == ("NOT MEASURED", "could not be measured: no image")


def test_every_goal_is_of_a_race_that_its_contenders_run() -> None:
    local = {LOCAL: {"trivial", "pandas"}}
    for name, _, contender, other, _ in GOALS:
        assert name in race.RACES
        for each in (contender, other):
            assert each in {COLD, STAGED, WARM, DOCKER, HOST} or name in local[each]


def test_levels_and_ends_of_the_loads() -> None:
    assert [[node.name for node in level] for level in loads.trivial(3).levels()] == [["s0"], ["s1"], ["s2"]]
    assert [len(level) for level in loads.fan_out(50).levels()] == [1, 50]
    assert len(loads.fan_out(50).ends()) == 50
    many = loads.many()
    assert len(many.nodes) == 500
    assert [len(level) for level in many.levels()] == [10] * 50


def test_a_script_runs_levels_in_order_and_fails_with_any_of_its_lines(tmp_path: Path) -> None:
    def bash(*levels: list[str]) -> subprocess.CompletedProcess[str]:
        text = shell.script(levels, 2)
        return subprocess.run(["bash", "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert bash(["touch a"], ["ls a >b", "ls a >c", "ls a >d"], ["cat b c d"]).stdout == "a\na\na\n"
    failed = bash(["true"], ["true", "false", "true", "touch never"], ["touch never"])
    assert failed.returncode == 1
    assert not (tmp_path / "never").exists()


def test_the_host_runs_the_scripts(bench: Bench) -> None:
    shared = bench.place("load")
    load = loads.trivial(2)
    load.lay_out(shared)
    host = HostChain(bench, load, shared)
    host.ready()
    host.before()
    assert host.run()[HOST] > 0
    assert (host.output("s1") / "table.csv").read_text() == (shared / "raw" / "table.csv").read_text()
    host.after()
    assert not host.output("s1").exists()
