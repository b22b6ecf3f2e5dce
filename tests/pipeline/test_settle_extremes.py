"""Outputs that would hang or break who judges them: a verdict in words, never exit 4, and a run that can be removed."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from pipeline.helpers import PATIENCE, Harness, step, verdicts

from runner.data import reading
from runner.data.files import remove_tree
from runner.engine.fake import FakeEngine, FakeStep


def nested(levels: int, place: Path) -> None:
    above = os.open(place, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=above)
        below = os.open("d", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)


def test_a_deep_tree_is_an_invalid_output_and_its_run_can_be_removed(tmp_path: Path) -> None:
    harness = Harness(tmp_path, FakeEngine({"a": lambda s: nested(1500, s.outputs["out"])}))
    finished = harness.execute(a=step())
    assert (verdicts(finished), finished.exit_code) == ({"a": "invalid-output"}, 1)
    assert "3001 bytes and may have 1024" in finished.results[0].reason
    assert not (harness.root / "steps/a/outputs").exists()
    remove_tree(harness.root)
    assert not harness.root.exists()


def test_a_huge_hole_is_an_invalid_output(tmp_path: Path) -> None:
    def hollow(s: FakeStep) -> None:
        with (s.outputs["out"] / "f").open("wb") as stream:
            os.ftruncate(stream.fileno(), 1 << 41)

    finished = Harness(tmp_path, FakeEngine({"a": hollow})).execute(a=step())
    assert (verdicts(finished), finished.exit_code) == ({"a": "invalid-output"}, 1)
    assert "claims 2,199,023,255,552 bytes" in finished.results[0].reason


def test_a_signal_ends_the_reading_of_large_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def large(s: FakeStep) -> None:
        with (s.outputs["out"] / "f").open("wb") as stream:
            os.ftruncate(stream.fileno(), reading.HOLLOW_SIZE)  # minutes, if nothing stopped it

    harness = Harness(tmp_path, FakeEngine({"a": large}))
    run = harness.prepare(a=step(), b=step("a"))
    begun, real = threading.Event(), reading.Reading.sha256

    def sha256(self: reading.Reading, stream: object) -> object:
        begun.set()
        return real(self, stream)  # type: ignore[arg-type]

    monkeypatch.setattr(reading.Reading, "sha256", sha256)

    def send() -> None:
        assert begun.wait(PATIENCE)
        run.cancel(signal.SIGINT)

    threading.Thread(target=send, daemon=True).start()
    finished = run.execute()
    harness.nothing_left()
    assert (verdicts(finished)["a"], finished.exit_code) == ("cancelled", 130)
    assert finished.results[0].reason == "stopped while its outputs were being read"
    assert (harness.root / "steps/a/attempt/out/f").exists()
    assert not (harness.root / "steps/a/outputs").exists()
    assert not (harness.root / "steps/a/outputs.json").exists()


def test_host_data_that_changes_during_the_step_is_told(tmp_path: Path) -> None:
    data, still = tmp_path / "data", tmp_path / "still"
    for folder in (data, still):
        folder.mkdir()
        (folder / "f").write_text("1")
    (still / "out").symlink_to("/etc/passwd")

    def work(s: FakeStep) -> None:
        (data / "f").write_text("changed")
        (s.outputs["out"] / "f").write_text((s.inputs["STILL"] / "f").read_text())

    harness = Harness(tmp_path, FakeEngine({"a": work}))
    finished = harness.execute(a=step(inputs={"DATA": str(data), "STILL": str(still)}))
    assert verdicts(finished) == {"a": "passed"}
    assert finished.results[0].warnings == (
        "link 'out' points outside of input STILL and cannot be followed in the container",
        "input DATA changed on the host while the step ran",
    )
