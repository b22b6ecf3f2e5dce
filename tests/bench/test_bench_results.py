"""What is kept and told of the measurements: README.md tells what results.json holds, and broken promises are found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench import plot, readme
from bench.bench import NotAvailableError
from bench.figures import Figure, spread
from bench.promises import SLACK, broken
from bench.race import Race
from bench.results import Results, document, markdown

MACHINE = {"cores": "2", "memory": "8 GiB", "system": "X", "docker": "20", "python": "3.11", "load": "0.1"}


def _figure(value: float, limit: float = 1.0) -> Figure:
    return Figure.ratio("p", "docker run", limit, spread([value]))


def test_the_readme_tells_what_was_measured() -> None:
    assert readme.differs() == ""


def test_a_figure_edited_by_hand_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    text = readme.README.read_text()
    figure = next(figure for figure in Results.load().figures if figure.met is not None)
    copy.write_text(text.replace(figure.measured, "0.01x"))
    monkeypatch.setattr(readme, "README", copy)
    assert "python tests/bench --readme" in readme.differs()


def test_a_readme_without_its_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="no pair of markers <!-- bench plot"):
        readme.written("# nothing\n", Results(False, MACHINE))


@pytest.mark.parametrize(
    ("found", "recorded", "is_broken"),
    [
        (_figure(0.9), [], False),
        (_figure(1.2), [], False),  # within the slack
        (_figure(1.3), [], True),
        (_figure(1.3), [_figure(0.9)], True),
        (_figure(1.3), [_figure(1.2)], False),  # admitted, and not much worse
        (_figure(1.6), [_figure(1.2)], True),
        (Figure("p", "<= 1", "2", False), [], True),
        (Figure("p", "<= 1", "2", False), [Figure("p", "<= 1", "2", False)], False),
        (Figure("p", "-", "2", None), [], False),
        (Figure.unmeasured("p", "<= 1", "no program"), [_figure(0.9)], False),
    ],
)
def test_broken_is_beyond_the_slack_or_worse_than_admitted(
    found: Figure, recorded: list[Figure], is_broken: bool
) -> None:
    assert SLACK == 1.25
    told = broken([found], recorded)
    assert bool(told) is is_broken
    assert all(line.startswith("p: ") for line in told)


def test_what_is_not_met_or_not_measured_stands_out() -> None:
    results = Results(
        True,
        MACHINE,
        {"x": Race("x", "some load", [{"cold": 1.0}], {"warm": "no pool"})},
        [_figure(2.0), Figure.unmeasured("q", "<= 1x", "no pool")],
        ["chain.trivial: MeasurementError: lost"],
    )
    text = document(results)
    assert "| p | at most 1x docker run | 2.00x (one round) | **not met** |" in text
    assert "| q | at most 1x | could not be measured: no pool | **not measured** |" in text
    assert "| cold | 1.00 (1.00 to 1.00) | - | - | - |" in text
    assert "- chain.trivial: MeasurementError: lost" in text
    assert "Rough" in text
    assert Results.from_json(results.to_json()) == results


def test_results_of_another_schema_are_refused() -> None:
    with pytest.raises(ValueError, match="schema 1"):
        Results.from_json({"schema": 1})


def test_cells_of_a_table_keep_their_bars() -> None:
    assert markdown([["a", "b"], ["x|y", ""]]) == "| a | b |\n|---|---|\n| x\\|y | |"


def test_without_matplotlib_it_is_said_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NotAvailableError, match=r"\.ci/environment bench"):
        plot.draw(Results(False, MACHINE), tmp_path)


def test_the_plot_shows_every_race(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only `make bench` installs matplotlib")
    race = Race("x", "some load", [{"cold": 1.0, "docker run chain": 2.0}], {"warm": "no pool"})
    written = plot.draw(Results(False, MACHINE, {"x": race}), tmp_path)
    again = [path.read_bytes() for path in plot.draw(Results(False, MACHINE, {"x": race}), tmp_path)]
    assert [path.name for path in written] == ["plot.svg", "plot.png"]
    assert [path.read_bytes() for path in written] == again
