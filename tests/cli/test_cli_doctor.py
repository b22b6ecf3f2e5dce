"""`doctor` says what is wrong with its cure, and 3 only when runs cannot work."""

from __future__ import annotations

import json

import pytest

from runner.cli.main import entry
from runner.engine import checks
from runner.engine.checks import Check, Status

FINE = Check("memory", Status.OK, "24 GiB for containers")
WARNED = Check("image xgboost", Status.WARNING, "not built yet", "run-pipeline images build xgboost")
BROKEN = Check("engine", Status.FAILED, "no Docker engine answers", "sudo systemctl start docker")


@pytest.mark.parametrize(("found", "code"), [([FINE], 0), ([FINE, WARNED], 0), ([FINE, WARNED, BROKEN], 3)])
@pytest.mark.parametrize("as_json", [False, True])
def test_exit_code(found, code, as_json, monkeypatch, capsys) -> None:
    monkeypatch.setattr(checks, "run_checks", lambda workspace: found)
    assert entry(["doctor", *(["--json"] if as_json else [])]) == code
    text = capsys.readouterr().out
    if as_json:
        document = json.loads(text)
        assert document["healthy"] is (code == 0)
        assert [each["status"] for each in document["checks"]] == [str(check.status) for check in found]
    for check in found:
        assert check.found in text
        assert check.cure in text


def test_no_engine_is_found_and_told_with_the_cure(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    assert entry(["doctor", "--runs-dir", str(tmp_path)]) == 3
    lines = capsys.readouterr().out.splitlines()
    (engine,) = [number for number, line in enumerate(lines) if line.startswith("failed   engine")]
    assert "absent.sock, which DOCKER_HOST names, does not exist" in lines[engine]
    assert "unset DOCKER_HOST" in lines[engine + 1]


@pytest.mark.docker
def test_this_machine(capsys, tmp_path) -> None:
    assert entry(["doctor", "--json", "--runs-dir", str(tmp_path)]) in (0, 3)
    names = {check["name"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert {"version", "engine", "memory", "disk", "permissions", "leftovers"} <= names
