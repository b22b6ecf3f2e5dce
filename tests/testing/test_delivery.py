"""What a passed script wrote, brought to the `output_paths` of its spec. On the fake engine."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from testing.workspaces import COPY, files, put

from runner import RuntimeTester, ScriptExecutionSpec
from runner.engine.fake import Canned, FakeEngine
from runner.testing import delivery

OUT = "/opt/ml/processing/output/data_output"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "scripts/write.py", COPY)
    put(tmp_path / "in/table.csv", "id\n1\n")
    return tmp_path


def run(written: Mapping[str, str], target: str = "out", exit_code: int = 0) -> bool:
    """Whether a script passes that writes these files."""
    script = Canned(exit_code=exit_code, files={f"{OUT}/{name}": text.encode() for name, text in written.items()})
    spec = ScriptExecutionSpec(
        script_name="write", input_paths={"data_input": "in"}, output_paths={"data_output": target}
    )
    return RuntimeTester("w", engine=FakeEngine({"write": script})).test_script_with_spec(spec).success


def delivered(target: str = "out") -> dict[str, str]:
    return {name: (Path(target) / name).read_text() for name in files(Path(target))}


def test_second_delivery_removes_what_is_no_longer_written():
    assert run({"a.csv": "1", "deep/er/b.csv": "2"})
    assert delivered() == {"a.csv": "1", "deep/er/b.csv": "2"}
    assert run({"a.csv": "3"})
    assert delivered() == {"a.csv": "3"}
    assert not Path("out/deep").exists(), "nor do empty directories look as if they had been written"


def test_files_of_the_user_stay():
    put(Path("out/mine.csv"), "mine")
    put(Path("out/deep/mine.csv"), "mine, too")
    assert run({"a.csv": "1", "deep/b.csv": "2"})
    assert run({"c.csv": "3"})
    assert delivered() == {"mine.csv": "mine", "deep/mine.csv": "mine, too", "c.csv": "3"}


def test_what_was_changed_since_stays():
    assert run({"a.csv": "1", "b.csv": "2"})
    put(Path("out/a.csv"), "edited")
    assert run({"c.csv": "3"})
    assert delivered() == {"a.csv": "edited", "c.csv": "3"}


def test_names_that_break_lines():
    names = {"new\nline.csv": "1", "para\u2029graph.csv": "2", "un\x85usual.csv": "3", " .csv": "4"}
    assert run(names)
    assert delivered() == names
    assert run({"a.csv": "5"})
    assert delivered() == {"a.csv": "5"}


def test_failed_script_delivers_nothing():
    assert run({"a.csv": "1"})
    assert not run({"a.csv": "2"}, exit_code=1)
    assert delivered() == {"a.csv": "1"}


def test_home_directory(monkeypatch, project):
    monkeypatch.setenv("HOME", str(project / "home"))
    assert run({"a.csv": "1"}, "~/out")
    assert delivered("home/out") == {"a.csv": "1"}
    assert not Path("~").exists()


def test_a_file_in_the_way():
    put(Path("out"), "a file")
    assert not run({"a.csv": "1"})
    assert Path("out").read_text() == "a file"


def test_a_torn_list_removes_nothing():
    assert run({"a.csv": "1"})
    put(delivery.ledger(Path("w"), Path("out")), '{"a.csv": [1')
    assert run({"b.csv": "2"})
    assert delivered() == {"a.csv": "1", "b.csv": "2"}


def test_interrupted_delivery_is_known_to_the_next(monkeypatch):
    count = 0

    def interrupted(source: Path, target: Path) -> None:
        nonlocal count
        count += 1
        shutil.copyfile(source, target)
        if count == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "shutil", SimpleNamespace(copyfile=interrupted))
        with pytest.raises(KeyboardInterrupt):
            run({"a.csv": "1", "b.csv": "2", "c.csv": "3"})
    assert len(delivered()) == 1, "of the second nothing is there, not even a part"
    assert list(json.loads(delivery.ledger(Path("w"), Path("out")).read_text())) == list(delivered())
    assert run({"d.csv": "4"})
    assert delivered() == {"d.csv": "4"}


def test_two_testers_with_one_output_directory():
    """Whoever comes last has all of its files there, and nobody else's."""
    texts = [str(number) * 1000 for number in range(8)]
    passed: list[bool] = []

    def one(text: str) -> None:
        passed.append(run({**{f"{n}.csv": text for n in range(20)}, text[:3]: "x"}))

    jobs = [threading.Thread(target=one, args=(text,)) for text in texts]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert passed == [True] * 8
    found = delivered()
    [own] = [name for name in found if not name.endswith(".csv")]
    assert {found[f"{n}.csv"] for n in range(20)} == {own[0] * 1000}
