"""Another job for an interpreter that waits: what it may take on, and what a script would notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import runner.agent
from runner.agent.renew import changed_names, looked_at, packed

BEFORE = {"PATH": os.environ["PATH"], "KEPT": "1", "EDITED": "old", "DROPPED": "x"}
MARK = b"RUNNER_TEST_"


def become(imports: str, argv: list[str], after: dict[str, str], before: dict[str, str] = BEFORE) -> dict[str, Any]:
    """What an interpreter that was started with `before` and ran `imports` while it was watched makes of a new job."""
    source = (Path(runner.agent.__file__).parent / "environ.py").read_text()
    program = (
        f"{source}\nimport json, os, sys\nwatch = _runner_Environment()\n{imports}\nwatch.leave()\n"
        f"taken = watch.become({packed(argv, before, after)!r})\n"
        "print(json.dumps({'taken': taken, 'argv': sys.argv, 'env': list(os.environ.items()), "
        "'type': type(os.environ._data).__name__, 'child': os.popen('env').read()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "first"], env=before, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def names(found: dict[str, Any]) -> list[str]:
    """Of its variables, but for those that Python itself adds."""
    return [name for name, _ in found["env"] if name != "LC_CTYPE"]


def test_arguments_and_variables_become_those_of_the_new_job() -> None:
    after = {"PATH": BEFORE["PATH"], "ADDED": "ü=1", "KEPT": "1", "EDITED": "new"}
    found = become("import os", ["script.py", "a b", "--x"], after)
    assert found["taken"] and found["type"] == "dict"
    assert found["argv"][1:] == ["a b", "--x"]
    assert names(found) == list(after)
    assert dict(found["env"])["EDITED"] == "new"
    assert "EDITED=new" in found["child"] and "DROPPED" not in found["child"]


@pytest.mark.parametrize(
    "imports",
    [
        "os.environ.get('EDITED')",
        "os.getenv('EDITED')",
        "'EDITED' in os.environ",
        "os.environb[b'EDITED']",
        "dict(os.environ)",
        "[name for name in os.environ]",
        "len(os.environ)",
        "os.environ['EDITED'] = 'import'",
        "os.environ.pop('EDITED')",
        "os.environ.setdefault('EDITED', '2')",
    ],
)
def test_a_variable_that_an_import_has_looked_at_is_not_changed_behind_its_back(imports: str) -> None:
    after = {**BEFORE, "EDITED": "new"}
    found = become(imports, ["script.py"], after)
    assert not found["taken"]
    assert dict(found["env"]).get("EDITED") != "new"


def test_one_that_an_import_looked_for_in_vain_counts_too() -> None:
    assert not become("os.environ.get('ADDED')", ["script.py"], {**BEFORE, "ADDED": "1"})["taken"]


def test_what_an_import_has_set_stays() -> None:
    found = become("os.environ['SET'] = 'by import'; os.environ.get('KEPT')", ["s"], {**BEFORE, "EDITED": "new"})
    assert found["taken"]
    assert dict(found["env"])["SET"] == "by import"
    assert names(found) == [*BEFORE, "SET"]


def test_arguments_alone_change_no_variable_whatever_was_looked_at() -> None:
    found = become("dict(os.environ)", ["script.py", "new"], BEFORE)
    assert found["taken"] and found["argv"][1:] == ["new"]
    assert names(found) == list(BEFORE)


def test_the_names_that_differ() -> None:
    assert changed_names({"a": "1", "b": "1"}, {"a": "1", "b": "2", "c": "1"}) == {"b", "c"}
    assert changed_names({"a": "1"}, {}) == {"a"}
    assert changed_names({"a": "1", "b": "2"}, {"b": "2", "a": "1"}) == set()


@pytest.mark.parametrize(
    "name", ["PYTHONPATH", "LC_ALL", "LANG", "LD_PRELOAD", "HOME", "PATH", "TZ", "MALLOC_ARENA_MAX"]
)
def test_what_an_interpreter_reads_when_it_starts_was_looked_at(name: str) -> None:
    assert looked_at(os.getpid(), {name})


def test_a_name_that_loaded_code_holds_was_looked_at() -> None:
    """glibc reads it when it makes a temporary file."""
    assert looked_at(os.getpid(), {"TMPDIR"})
    assert not looked_at(os.getpid(), {(MARK + b"NEVER_READ_BY_ANYBODY").decode()})


def test_a_process_that_cannot_be_looked_at_may_have() -> None:
    assert looked_at(2**22 + 1, {"RUNNER_TEST_NEVER_READ_BY_ANYBODY"})
