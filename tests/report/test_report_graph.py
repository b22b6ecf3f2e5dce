"""Graphs as text, Mermaid, Graphviz and JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from runner.report.graph import render
from runner.report.rails import draw
from runner.spec.models import PipelineSpec


def spec_of(steps: dict[str, dict[str, str]], name: str = "demo", **facts: Any) -> PipelineSpec:
    """`steps`: step -> input -> `step.output`."""
    made = {
        step: {
            "script": "a.py",
            "outputs": ["data"],
            "inputs": {port: {"from": source} for port, source in inputs.items()},
            **facts.get(step, {}),
        }
        for step, inputs in steps.items()
    }
    return PipelineSpec.model_validate({"name": name, "image": "python", "steps": made})


@pytest.fixture
def diamond() -> PipelineSpec:
    return spec_of(
        {
            "load": {},
            "train_data": {"DATA": "load.data"},
            "test_data": {"DATA": "load.data"},
            "fit": {"data": "train_data.data"},
            "evaluate": {"test": "test_data.data", "model": "fit.model"},
            "report": {},
        },
        report={"depends_on": ["evaluate"]},
        fit={"type": "training", "outputs": {}},
    )


def test_text(diamond: PipelineSpec) -> None:
    assert render(diamond) == (
        "demo: 6 steps, 6 edges\n"
        "\n"
        "○    load\n"
        "├─●  train_data  ← load.data\n"
        "● │  test_data   ← load.data\n"
        "│ ●  fit         ← train_data.data\n"
        "●─╯  evaluate    ← test_data.data, fit.model\n"
        "●    report      ← after evaluate\n"
    )


def test_no_control_character_of_a_name_reaches_the_terminal(diamond: PipelineSpec) -> None:
    odd = diamond.model_copy(update={"name": "a\x1b[2J\nb"})  # the file's own check refuses such a name
    assert render(odd).startswith("a b: 6 steps")
    assert "\x1b" not in render(odd, "dot")


def test_text_in_ascii(diamond: PipelineSpec) -> None:
    text = render(diamond, unicode=False)
    assert text.isascii()
    assert "*-'  evaluate    <- test_data.data, fit.model\n" in text


def test_many_sources_go_on_below_beside_their_rails() -> None:
    leaves = {f"a_step_with_a_long_name_{n}": {"in": "root.data"} for n in range(4)}
    join = {f"in{n}": f"{name}.data" for n, name in enumerate(leaves)}
    text = render(spec_of({"root": {}, **leaves, "join": join, "late": {"in": "a_step_with_a_long_name_0.data"}}))
    assert max(map(len, text.splitlines())) <= 100
    rows = text.splitlines()
    at = next(index for index, row in enumerate(rows) if "join" in row)
    assert rows[at + 1].split() == ["│", "a_step_with_a_long_name_1.data,"]
    assert rows[at + 1].index("a_step") == rows[at].index("a_step")


def connections(order: list[str], rows: list[str]) -> dict[str, set[str]]:
    """Read a drawing back: for each step, the steps whose rails its row takes from."""
    owner: dict[int, str] = {}
    found: dict[str, set[str]] = {}
    for step, row in zip(order, rows, strict=True):
        at = next(index for index, sign in enumerate(row) if sign in "●○")
        # A rail is there as long as every row shows it.
        owner = {index: name for index, name in owner.items() if row[index] in "●│├┤┼╰╯┴"}
        found[step] = {owner[at]} if row[at] == "●" and at in owner else set()
        low = high = at
        while low > 0 and row[low - 1] in "─│├╰┼┴":
            low -= 1
        while high + 1 < len(row) and row[high + 1] in "─│┤╯┼┴":
            high += 1
        for index in range(low, high + 1):
            if row[index] in "├┤┼╰╯┴":
                found[step].add(owner[index])
            if row[index] in "╰╯┴":
                del owner[index]
        owner[at] = step
    return found


def test_a_drawing_says_what_the_graph_says() -> None:
    chance = random.Random(7)
    for _ in range(150):
        order = [f"s{n}" for n in range(chance.randint(1, 25))]
        sources = {
            step: chance.sample(order[:index], min(index, chance.choice([0, 1, 1, 2, 3])))
            for index, step in enumerate(order)
        }
        rows = [row for row, _ in draw(order, sources)]
        assert connections(order, rows) == {step: set(sources[step]) for step in order}


def test_rails_are_linear_enough_for_a_thousand_steps() -> None:
    order = [f"s{n}" for n in range(1000)]
    sources = {step: [order[index - 1]] if index else [] for index, step in enumerate(order)}
    rows = draw(order, sources)
    assert {row for row, _ in rows} == {"○", "●"}


def test_mermaid(diamond: PipelineSpec) -> None:
    assert render(diamond, "mermaid") == (
        "flowchart TD\n"
        '    s1["load"]\n'
        '    s2["train_data"]\n'
        '    s3["test_data"]\n'
        '    s4(["fit"])\n'
        '    s5["evaluate"]\n'
        '    s6["report"]\n'
        '    s1 -->|"data → DATA"| s2\n'
        '    s1 -->|"data → DATA"| s3\n'
        '    s2 -->|"data"| s4\n'
        '    s3 -->|"data → test"| s5\n'
        '    s4 -->|"model"| s5\n'
        "    s5 -.-> s6\n"
    )


def test_dot_quotes_names() -> None:
    spec = spec_of({"load": {}, "fit": {"x": "load.data"}}, name='a "b" \\ c')
    text = render(spec, "dot")
    assert text.startswith('digraph "a \\"b\\" \\\\ c" {\n')
    assert '    "load" -> "fit" [label="data → x"];\n' in text


def test_json(diamond: PipelineSpec) -> None:
    document = json.loads(render(diamond, "json"))
    assert document["schema_version"] == 1
    assert [step["name"] for step in document["steps"]][:2] == ["load", "train_data"]
    assert document["steps"][3] == {"name": "fit", "type": "training"}
    assert document["edges"][0] == {"source": "load", "output": "data", "target": "train_data", "input": "DATA"}
    assert document["edges"][-1] == {"source": "evaluate", "output": None, "target": "report", "input": None}


def test_another_format_is_refused(diamond: PipelineSpec) -> None:
    with pytest.raises(ValueError, match="text, mermaid, dot, json"):
        render(diamond, "svg")
