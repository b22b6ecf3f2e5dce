"""The parts of the README that tell measurements: written from `results.json`, never by hand."""

from __future__ import annotations

from pathlib import Path

from bench.contenders import MODES
from bench.results import PLACE, Results, described, markdown, promise_rows

README = Path(__file__).parents[2] / "README.md"
IMAGE = "tests/bench/results/plot.svg"


def blocks(results: Results) -> dict[str, str]:
    """The text between each pair of markers, by its name."""
    rough = "Rough, with few rounds: " if results.quick else ""
    how = (
        f"{rough}`make bench`, all contenders in alternation on one machine: medians of whole processes, with a line "
        f"from the fastest to the slowest round ({described(results.machine)}). Modes of run-pipeline: {MODES}."
    )
    picture = f"![Seconds of each work load: run-pipeline, docker run, plain python, SageMaker local mode]({IMAGE})"
    return {"plot": f"{picture}\n\n{how}", "promises": markdown(promise_rows(results.figures))}


def written(text: str, results: Results) -> str:
    """`text` with its blocks renewed. Raises ValueError where a marker is missing."""
    for name, block in blocks(results).items():
        begin, end = f"<!-- bench {name}: written by `python tests/bench --readme` -->", f"<!-- end of bench {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"README.md has no pair of markers {begin} ... {end}")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    return text


def differs(place: Path = PLACE) -> str:
    """What is wrong with README.md or `table.md`; empty when they tell what `results.json` holds."""
    from bench.results import document

    results = Results.load(place)
    text = README.read_text()
    cure = "`python tests/bench --readme` writes it"
    if written(text, results) != text:
        return f"README.md tells other figures than {place.name}/results.json; {cure}"
    if (place / "table.md").read_text() != document(results):
        return f"{place.name}/table.md tells other figures than results.json; {cure}"
    return ""
