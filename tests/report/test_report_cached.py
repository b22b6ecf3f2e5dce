"""How a step whose result comes from the cache is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report.samples import LOAD

from runner.pipeline.events import Cached, RunFinished
from runner.report.origin import ago, source
from runner.report.summary import counts, rows, verdict_line

CACHED = Cached(run="20261120T211214Z-ff75c2", step="prep", at="2026-11-20T21:12:20.000Z", seconds=3.0, key="0" * 64)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s ago"), (0.4, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7300, "2 h ago"), (90000, "1 d ago")],
)
def test_ages(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_a_cached_step_says_where_it_comes_from() -> None:
    ran = replace(LOAD, step="train")
    hit = replace(
        replace(LOAD, step="prep"), cached=CACHED, started_at=None, finished_at="2026-11-20T21:15:25.000Z", seconds=0.0
    )
    assert source(ran) == ""
    assert source(hit) == "run 20261120T211214Z-ff75c2, 3 min ago"
    assert source(replace(hit, finished_at=None)) == "run 20261120T211214Z-ff75c2"
    first, second = rows([hit, ran])
    assert first.startswith("✓ prep   cached ")
    assert "run 20261120T211214Z-ff75c2, 3 min ago" in first
    assert "cached" not in second
    assert counts([hit, ran]) == "1 passed, 1 cached"
    finished = RunFinished(at="", run_id="r", exit_code=0, status="passed", results=(hit, ran), seconds=1.0)
    assert verdict_line(finished) == "✓ passed in 1.0 s: 2 steps, 1 cached"
