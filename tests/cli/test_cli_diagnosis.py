"""Failures in real containers, told as a person, a CI server and a program see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from runner.cli.main import entry

pytestmark = pytest.mark.docker

PIPELINE = """\
name: why
image: sklearn
steps:
  prep: {script: prep.py, outputs: [data]}
  column: {script: column.py, inputs: {DATA: {from: prep.data}}, outputs: [out]}
  file: {script: file.py, inputs: {DATA: {from: prep.data}}, outputs: [out]}
  latin: {script: latin.py, inputs: {DATA: {from: prep.data}}, outputs: [out]}
  boost: {script: boost.py, outputs: [out]}
  args: {script: args.py, args: {epoch_count: 3}, outputs: [out]}
  net: {script: net.py, outputs: [out]}
  memory: {script: memory.py, resources: {memory: 200m}, outputs: [out]}
  slow: {script: slow.py, timeout: 3s, stop_grace: 1s, outputs: [out]}
"""
IN = "/opt/ml/processing/input/DATA"
SCRIPTS = {
    "prep": "out = '/opt/ml/processing/output/data/'\n"
    "open(out + 'train.csv', 'w').write('id,labels\\n1,0\\n')\n"
    "open(out + 'latin.csv', 'wb').write('id,city\\n1,Köln\\n2,Fürth\\n'.encode('latin-1'))\n",
    "column": f"import pandas as pd\n\ndef load():\n    return pd.read_csv('{IN}/train.csv')['label']\n\nload()\n",
    "file": f"import pandas as pd\npd.read_csv('{IN}/trian.csv')\n",
    "latin": f"import pandas as pd\npd.read_csv('{IN}/latin.csv')\n",
    "boost": "import xgboost\n",
    "args": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--epochs')\np.parse_args()\n",
    "net": "import urllib.request\nurllib.request.urlopen('http://example.com/model')\n",
    "memory": "x = []\nwhile True:\n    x.append(bytearray(10 << 20))\n",
    "slow": "import faulthandler, time\nfaulthandler.dump_traceback_later(1)\n"
    "def wait():\n    time.sleep(60)\n\nwait()\n",
}
WHY = {
    "column": (
        "missing-column", 4,
        "the consumer needs column 'label'; the producer 'prep' wrote 'id', 'labels' (nearest: 'labels')",
        "let 'prep' write 'label', or read 'labels' (column.py, line 4)",
    ),
    "file": (
        "missing-file", 2,
        f"'trian.csv' is not in input 'DATA' ({IN}), which holds 'latin.csv', 'train.csv' (nearest: 'train.csv')",
        f"read '{IN}/train.csv'",
    ),
    "latin": (
        "encoding", 2,
        "'latin.csv' of the producer 'prep' is read as UTF-8, and byte 0xf6 at position 11 is not; "
        "it looks like latin-1",
        "read it with encoding='latin-1', or write it as UTF-8",
    ),
    "boost": (
        "import", 1, "module 'xgboost' is not in image 'sklearn'",
        "use image 'xgboost', or add it to requirements.txt in a `source_dir`",
    ),
    "args": (
        "arguments", None, "the script does not know '--epoch_count'; it knows '--epochs'",
        "take `epoch_count` out of the step's `args`",
    ),
    "net": (
        "network", 2, "the script tried to reach http://example.com/model, and the step has `network: none`",
        "write `network: bridge` if the step needs the network, else take the call out",
    ),
    "memory": (
        "memory", None, "the step was killed for memory at its limit of 200 MiB",
        "use less at a time, or raise `memory` in the step's `resources`",
    ),
    "slow": (
        "time-out", 4, "the script did not end within its time-out of 3 s",
        "raise the step's `timeout`, or give it less to do",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of all of them."""
    here = tmp_path_factory.mktemp("why")
    (here / "pipeline.yaml").write_text(PIPELINE)
    for name, text in SCRIPTS.items():
        (here / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.delenv("RUN_PIPELINE_RUNS_DIR", raising=False)
        assert entry(["run", "-k", "-q", "pipeline.yaml", "--junit", "junit.xml"]) == 1
    return here


def results(here: Path) -> dict[str, Any]:
    return {path.parent.name: json.loads(path.read_text()) for path in here.glob("runs/latest/steps/*/result.json")}


def test_each_is_diagnosed_in_its_result(ran: Path) -> None:
    found = results(ran)
    assert found["prep"]["diagnosis"] is None
    for step, (kind, line, sentence, fix) in WHY.items():
        told = found[step]["diagnosis"]
        assert (told["kind"], told["sentence"], told["fix"]) == (kind, sentence, fix), step
        place = {"file": str(ran / f"{step}.py"), "line": line, "host": True} if line else None
        assert told["place"] == place, step


def test_the_text_and_the_junit_file_say_it(ran: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ran)
    assert entry(["show", "latest"]) == 0
    shown = capsys.readouterr().out
    cases = {case.get("name"): case for case in ElementTree.parse(ran / "junit.xml").iter("testcase")}
    for step, (kind, line, sentence, fix) in WHY.items():
        assert f"  fix       {fix}\n" in shown
        assert (f"  why       {sentence}\n" in shown) == (kind not in ("memory", "time-out"))
        assert line is None or f"  at        {step}.py:{line}\n" in shown
        fault = cases[step].find("failure")
        assert fault is not None
        assert (sentence in str(fault.get("message"))) == (kind not in ("memory", "time-out"))


def test_the_lack_was_told_before_the_run_and_is_told_by_plan_from_then_on(ran: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(ran)
    lack = "module 'xgboost' (boost.py:1) is not in image 'sklearn': "
    first = [json.loads(line) for line in (ran / "runs/latest/events.jsonl").read_text().splitlines()][:5]
    assert [event["step"] for event in first if event["event"] == "notice" and event["message"].startswith(lack)] == [
        "boost"
    ]
    assert entry(["plan", "pipeline.yaml"]) == 0
    assert f"boost: {lack}" in capsys.readouterr().out
    assert entry(["plan", "pipeline.yaml", "--json"]) == 0
    steps = {step["job"]["step"]: step for step in json.loads(capsys.readouterr().out)["steps"]}
    assert [text[: len(lack)] for text in steps["boost"]["warnings"]] == [lack]
    assert steps["column"]["warnings"] == []
    assert entry(["validate", "pipeline.yaml"]) == 0
    assert "xgboost" not in capsys.readouterr().out
