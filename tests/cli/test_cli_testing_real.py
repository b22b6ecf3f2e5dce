"""`test-pipeline` and `test-script` as a person types them, with real containers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
ARGV = [sys.executable, "-m", "runner.cli.main"]
SLOW = "import time\nprint('slow is here', flush=True)\ntime.sleep(300)\n"
PIPELINE = "name: slow\nimage: python\nsteps:\n  slow: {script: slow.py, outputs: [o]}\n"


def test_an_example_passes_and_a_failing_one_does_not(tmp_path: Path) -> None:
    def test(name: str) -> tuple[int, dict[str, object]]:
        argv = [*ARGV, "test-pipeline", str(ROOT / "examples" / name / "pipeline.yaml"), "--output-format", "json"]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, timeout=300, check=False)
        assert done.stderr == b""
        return done.returncode, json.loads(done.stdout)

    code, document = test("hello")
    assert (code, document["pipeline_success"]) == (0, True)
    code, document = test("failing")
    assert code == 1
    results, edges = document["script_results"], document["data_flow_results"]
    assert isinstance(results, dict) and isinstance(edges, dict)
    assert {name: each["kind"] for name, each in results.items()} == {
        "PrepareLabels": None,
        "CountLabels": "missing-column",
        "Summarise": "blocked",
        "Describe": None,
    }
    assert {name: (each["compatible"], each["tested"]) for name, each in edges.items()} == {
        "PrepareLabels->CountLabels": (False, True),
        "CountLabels->Summarise": (False, False),
        "PrepareLabels->Describe": (True, True),
    }


def test_the_timeout_stops_the_container(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW.replace("300", "299"))
    (tmp_path / "p.yaml").write_text(PIPELINE)
    argv = [*ARGV, "test-pipeline", "p.yaml", "--timeout", "2"]
    began = time.monotonic()
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 1
    assert "timeout" in done.stdout
    assert time.monotonic() - began < 200


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_test_leaves_no_container_and_says_what_stopped_it(
    signum: signal.Signals, code: int, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "p.yaml").write_text(PIPELINE)
    argv = [*ARGV, "test-pipeline", "p.yaml", "--workspace-dir", "ws", "--junit", "report.xml"]
    process = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        log = tmp_path / "ws/runs/latest/steps/slow/stdout"
        deadline = time.monotonic() + 90
        while not (log.is_file() and b"here" in log.read_bytes()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signum)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err.decode()) == (code, f"run-pipeline: stopped by {signum.name}\n")
    run_id = (tmp_path / "ws/runs/latest").readlink().name
    found = ["docker", "ps", "-aq", "--filter", f"label=run-pipeline.run={run_id}"]
    assert subprocess.run(found, capture_output=True, check=True).stdout == b""
    document = json.loads((tmp_path / "ws/runs/latest/run.json").read_bytes())
    assert (document["status"], document["exit_code"]) == ("interrupted", code)
    assert [child.tag for case in ET.parse(tmp_path / "report.xml").iter("testcase") for child in case] == ["error"]


def test_two_tests_at_once_in_one_workspace(tmp_path: Path) -> None:
    example = str(ROOT / "examples/hello/pipeline.yaml")
    argv = [*ARGV, "test-pipeline", example, "--workspace-dir", "ws"]
    both = [subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.DEVNULL, env={**os.environ}) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert len([run for run in (tmp_path / "ws/runs").iterdir() if not run.is_symlink()]) == 2
