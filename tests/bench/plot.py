"""The picture of the races: a panel for each work load, a line for each contender. Needs matplotlib (group `bench`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.bench import NotAvailableError
from bench.contenders import CACHED, COLD, DOCKER, HOST, STAGED, WARM
from bench.local_mode import EXECUTION, LOCAL

if TYPE_CHECKING:
    from bench.race import Race
    from bench.results import Results

COLOURS = {
    LOCAL: "#c0504d",
    EXECUTION: "#d99694",
    DOCKER: "#e39b33",
    HOST: "#8a8f98",
    COLD: "#a9c8ec",
    STAGED: "#6ea3dd",
    WARM: "#2f75c0",
    CACHED: "#17477e",
}
"""Others in warm colours and grey, the runner's modes in blue: the darker, the less there is left to do."""
LABELS = {LOCAL: "SageMaker local mode", EXECUTION: "  its execution only"} | {
    name: f"run-pipeline, {name}" for name in (COLD, STAGED, WARM, CACHED)
}
OURS = (COLD, STAGED, WARM, CACHED)
COLUMNS = 2
TITLE = "Seconds of a whole run, less is better (dot: median, line: fastest to slowest round; x: times docker run)"


def draw(results: Results, place: Path) -> list[Path]:
    """`plot.svg` and `plot.png` in `place`. Raises NotAvailableError without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise NotAvailableError("the plot needs matplotlib: `.ci/environment bench` installs it") from None
    mpl.use("agg")
    from matplotlib import pyplot

    mpl.rcParams.update({"svg.hashsalt": "bench", "font.size": 9, "svg.fonttype": "path"})
    races = list(results.races.values())
    rows = [races[start : start + COLUMNS] for start in range(0, len(races), COLUMNS)]
    heights = [max(len(_names(race)) for race in row) + 2.2 for row in rows]
    figure, axes = pyplot.subplots(
        len(rows),
        COLUMNS,
        figsize=(11, 0.27 * sum(heights) + 0.4),
        squeeze=False,
        facecolor="white",
        height_ratios=heights,
    )
    panels = [panel for row in axes for panel in row]
    for panel, race in zip(panels, races, strict=False):
        _panel(panel, race)
    for panel in panels[len(races) :]:
        panel.axis("off")
    figure.suptitle(TITLE, fontsize=10, x=0.01, ha="left")
    figure.tight_layout()
    written = [place / "plot.svg", place / "plot.png"]
    figure.savefig(written[0], metadata={"Date": None})
    figure.savefig(written[1], dpi=130)
    pyplot.close(figure)
    return written


def _names(race: Race) -> list[str]:
    """Who took part, and then who could not."""
    present, missing = race.names(), race.missing
    return [name for name in COLOURS if name in present] + [name for name in COLOURS if name in missing]


def _panel(panel: Any, race: Race) -> None:
    names = _names(race)
    spreads = {name: race.seconds(name) for name in names if name not in race.missing}
    least, most = min(each.least for each in spreads.values()), max(each.most for each in spreads.values())
    for number, name in enumerate(names):
        if name not in spreads:
            panel.text(least * 0.8, number, "not measured", va="center", color="#777777", style="italic")
            continue
        found = spreads[name]
        panel.plot([found.least, found.most], [number, number], color=COLOURS[name], linewidth=4, alpha=0.6)
        panel.plot([found.median], [number], marker="o", color=COLOURS[name], markersize=8)
        ratio = f"   {race.ratio(name, DOCKER).median:.2f}x" if name in OURS and DOCKER in spreads else ""
        panel.annotate(
            f"{found.median:.2f} s{ratio}", (found.most, number), (9, 0), textcoords="offset points", va="center"
        )
    panel.set_yticks(range(len(names)), [LABELS.get(name, name) for name in names])
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.set_xscale("log")
    panel.set_xlim(least * 0.7, most * 1.5 * (most / least) ** 0.45)
    panel.set_title(race.title, fontsize=10, loc="left", fontweight="bold")
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.xaxis.set_minor_formatter("")
    panel.grid(axis="both", color="#e4e4e4", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.tick_params(axis="y", length=0)
