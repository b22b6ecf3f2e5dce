"""What is wrong with a cache costs a run of the step, and never gives another result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pipeline.caching import Cached
from pipeline.helpers import OUT, Gates, step

from runner.engine import labels
from runner.engine.fake import Canned, FakeStep
from runner.pipeline import attempt
from runner.pipeline.cache import folder, lookup, trees

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def entry(cached: Cached) -> Path:
    (path,) = cached.files("entries")
    return path


def edit(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _other_digest(path: Path) -> None:
    document = json.loads(path.read_bytes())
    document["outputs"]["out"]["entries"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(document))


def _outside(path: Path) -> None:
    document = json.loads(path.read_bytes())
    document["outputs"]["out"]["entries"][0]["path"] = "../../x"
    path.write_text(json.dumps(document))


def _failed(path: Path) -> None:
    document = json.loads(path.read_bytes())
    document["result"]["state"] = "failed"
    path.write_text(json.dumps(document))


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (lambda path: path.write_bytes(b"") and None, "is damaged"),
    "truncated": (_truncated, "is damaged"),
    "another shape": (lambda path: path.write_text("[]") and None, "is damaged"),
    "other version": (lambda path: edit(path, version=0), "is of version 0"),
    "other user": (lambda path: edit(path, uid=12345), "belongs to another user"),
    "other key": (lambda path: edit(path, key="0" * 64), "is that of another key"),
    "other digest": (_other_digest, "does not fit its digest"),
    "path that leads out": (_outside, "outside of its directory"),
    "failed step": (_failed, "holds a step that is 'failed'"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_a_miss_with_a_warning_and_is_made_anew(tmp_path: Path, damage: str) -> None:
    cached = Cached(tmp_path)
    cached.run(a=step())
    spoil, words = DAMAGE[damage]
    spoil(entry(cached))
    assert cached.run(a=step()) == ["a"]
    assert cached.finished is not None
    assert cached.finished.exit_code == 0
    (notice,) = [text for text in cached.notices if "is dropped, and the step runs" in text]
    assert words in notice
    assert not (tmp_path / "x").exists()
    assert cached.run(a=step()) == []


@ROOT
def test_an_entry_of_another_user_is_a_miss(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    cached.run(a=step())
    os.chown(entry(cached), 12345, 12345)
    assert cached.run(a=step()) == ["a"]


def _edited(path: Path) -> None:
    times = path.stat()
    path.write_text("A.OUT\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _replaced(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def test_files_that_look_as_recorded_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for small ones. Each hit links them once more, and records what that changed."""
    read: list[str] = []
    really = trees._read

    def counted(path: str, entry: Any) -> None:
        read.append(entry.path)
        really(path, entry)

    monkeypatch.setattr(trees, "_read", counted)
    monkeypatch.setattr(trees, "_SETTLED", 0)
    cached = Cached(tmp_path, scripts={"a": Canned(files={f"{OUT}/out/large": b"x" * (1 << 20)})})
    cached.run(a=step())
    for _ in range(3):
        assert cached.run(a=step()) == []
        assert "large" not in read
    shutil.rmtree(cached.harness.root)  # a link less
    assert cached.run(a=step()) == []
    assert read.count("large") == 1
    assert cached.run(a=step()) == []
    assert read.count("large") == 1


@pytest.mark.parametrize("small", [-1, 1 << 16])
@pytest.mark.parametrize("spoil", [_edited, _replaced, Path.unlink, lambda path: shutil.rmtree(path.parent)])
def test_a_kept_file_that_is_not_what_was_published_is_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], small: int
) -> None:
    monkeypatch.setattr(trees, "_SMALL", small)
    cached = Cached(tmp_path)
    cached.run(a=step(), b=step("a"))
    (kept,) = [path for path in (cached.root / "trees").glob("*/fake.txt") if path.read_text() == "a.out\n"]
    spoil(kept)
    assert cached.run(a=step(), b=step("a")) == ["a"]
    assert (cached.step("a") / "outputs/out/fake.txt").read_text() == "a.out\n"
    assert [text for text in cached.notices if "is dropped, and the step runs" in text]


def test_an_edit_in_a_run_directory_reaches_no_later_run(tmp_path: Path) -> None:
    """The file there and the kept one are one."""
    cached = Cached(tmp_path)
    cached.run(a=step())
    _edited(cached.step("a") / "outputs/out/fake.txt")
    assert cached.run(a=step()) == ["a"]
    cached.run(a=step())
    (cached.step("a") / "outputs/out/fake.txt").chmod(0o600)
    assert cached.run(a=step()) == []
    assert (cached.step("a") / "outputs/out/fake.txt").stat().st_mode & 0o777 == 0o644


def test_what_a_power_cut_took_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_SMALL", -1)
    cached = Cached(tmp_path)
    cached.run(a=step())
    (kept,) = (cached.root / "trees").glob("*/fake.txt")
    kept.write_bytes(b"\0" * kept.stat().st_size)
    record = kept.parent.with_name(f"{kept.parent.name}.json")
    document = json.loads(record.read_bytes())
    document["files"][0][3] = trees.mark_of(kept.stat())
    record.write_text(json.dumps(document))
    monkeypatch.setattr(labels, "boot_id", lambda: "after the cut")
    assert cached.run(a=step()) == ["a"]


@pytest.mark.parametrize("content", ["", "[]", '{"boot": 1}'])
def test_a_lost_record_costs_a_look_at_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(trees, "_SMALL", -1)
    cached = Cached(tmp_path)
    cached.run(a=step())
    records = list((cached.root / "trees").glob("*.json"))
    assert len(records) == 2
    for record in records:
        record.write_text(content)
    assert cached.run(a=step()) == []


@pytest.mark.parametrize("what", ["raw/a.csv", "one.csv"])
def test_an_input_that_changes_while_the_step_runs_is_not_kept(tmp_path: Path, what: str) -> None:
    (tmp_path / "raw").mkdir()
    for path in (tmp_path / "raw/a.csv", tmp_path / "one.csv"):
        path.write_text("1\n")

    def script(s: FakeStep) -> int:
        if (tmp_path / what).read_text() != "2\n":
            (tmp_path / what).write_text("2\n")
        (s.outputs["out"] / "f").write_text("1")
        return 0

    cached = Cached(tmp_path, scripts={"a": script})
    inputs = {"raw": str(tmp_path / "raw"), "one": str(tmp_path / "one.csv")}
    assert cached.run(a=step(inputs=inputs)) == ["a"]
    assert [text for text in cached.notices if "changed on the host while the step ran" in text]
    assert not cached.files("entries")
    assert cached.note("a")["kept"] is False
    cached.run(a=step(inputs=inputs))
    assert len(cached.files("entries")) == 1


def test_code_that_changes_after_it_was_hashed_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work.py").write_text("print(1)\n")
    fields: dict[str, Any] = {"script": str(tmp_path / "work.py"), "entrypoint": None}
    really = attempt.bind

    def edited(*arguments: Any, **named: Any) -> Any:
        (tmp_path / "work.py").write_text("print(2)\n")
        return really(*arguments, **named)

    cached = Cached(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(attempt, "bind", edited)
        assert cached.run(a=step(**fields)) == ["a"]
    assert [text for text in cached.notices if "its code changed" in text]
    assert not cached.files("entries")


def test_code_that_changes_before_a_hit_is_taken_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work.py").write_text("print(1)\n")
    fields: dict[str, Any] = {"script": str(tmp_path / "work.py"), "entrypoint": None}
    cached = Cached(tmp_path)
    cached.run(a=step(**fields))
    really = lookup.adopt

    def edited(*arguments: Any) -> Any:
        (tmp_path / "work.py").write_text("print(2)\n")
        return really(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(lookup, "adopt", edited)
        assert cached.run(a=step(**fields)) == ["a"]
    assert (cached.step("a") / "code/work.py").read_text() == "print(2)\n"
    (tmp_path / "work.py").write_text("print(1)\n")
    assert cached.run(a=step(**fields)) == []


def test_code_that_is_edited_while_the_step_runs_spoils_nothing(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text("print(1)\n")
    fields: dict[str, Any] = {"script": str(script), "entrypoint": None}

    def edits(s: FakeStep) -> int:
        script.write_text("print(2)\n")
        (s.outputs["out"] / "f").write_text("1")
        return 0

    cached = Cached(tmp_path, scripts={"a": edits})
    assert cached.run(a=step(**fields)) == ["a"]
    assert cached.run(a=step(**fields)) == ["a"]
    script.write_text("print(1)\n")
    assert cached.run(a=step(**fields)) == []


def test_a_cache_that_is_deleted_in_mid_run(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    cached.run(a=step(), b=step("a"))

    def gone(point: str, name: str) -> None:
        if (point, name) == ("run", "a"):
            shutil.rmtree(cached.root)

    cached.engine_options["hook"] = gone
    assert cached.run(a=step(env={"X": "1"}), b=step("a"), c=step("b")) == ["a", "b", "c"]
    assert cached.finished is not None
    assert cached.finished.exit_code == 0
    assert [text for text in cached.notices if text.startswith("cache: ")]
    del cached.engine_options["hook"]
    assert cached.run(a=step()) == ["a"]
    assert cached.run(a=step()) == []


def _foreign_files(root: Path) -> None:
    root.mkdir()
    (root / "thesis.txt").write_text("x")


def _other_layout(root: Path) -> None:
    folder.open_folder(root)
    (root / "version").write_text("run-pipeline step cache 99\n")


def _short_secret(root: Path) -> None:
    folder.open_folder(root)
    (root / "secret").write_bytes(b"short")


def _open_to_all(root: Path) -> None:
    root.mkdir()
    root.chmod(0o777)


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file": (lambda root: root.write_text("x"), "File exists"),
    "other files": (_foreign_files, "holds other files"),
    "other layout": (_other_layout, "is of another version"),
    "damaged secret": (_short_secret, "is damaged"),
    "open to all": (_open_to_all, "may be written by other users"),
}


@pytest.mark.parametrize("how", UNUSABLE)
def test_a_directory_that_is_no_cache_is_left_alone_with_a_warning(tmp_path: Path, how: str) -> None:
    cached = Cached(tmp_path)
    spoil, words = UNUSABLE[how]
    spoil(cached.root)
    before = sorted(cached.root.rglob("*"))
    for _ in range(2):
        assert cached.run(a=step()) == ["a"]
        (notice,) = [text for text in cached.notices if text.startswith("cache: every step runs")]
        assert words in notice
    assert sorted(cached.root.rglob("*")) == before


@ROOT
def test_a_directory_of_another_user_is_left_alone(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    cached.root.mkdir()
    os.chown(cached.root, 12345, 12345)
    assert cached.run(a=step()) == ["a"]
    assert [text for text in cached.notices if "belongs to another user (uid 12345)" in text]
    assert not list(cached.root.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("nothing may be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_cache_on_another_file_system(tmp_path: Path, small_disk: Path) -> None:
    cached = Cached(tmp_path, small_disk / "cache")
    assert cached.run(a=step(), b=step("a")) == ["a", "b"]
    for _ in range(2):
        assert cached.run(a=step(), b=step("a")) == []
        assert (cached.step("b") / "outputs/out/fake.txt").read_text() == "b.out\n"
        assert (cached.step("b") / "outputs/out/fake.txt").stat().st_nlink == 1
    _edited(cached.step("b") / "outputs/out/fake.txt")
    assert cached.run(a=step(), b=step("a")) == []
    assert (cached.step("b") / "outputs/out/fake.txt").read_text() == "b.out\n"


def test_a_full_disk_costs_the_result_its_place(tmp_path: Path, small_disk: Path) -> None:
    large = Canned(files={f"{OUT}/out/large": os.urandom(4 << 20)})
    cached = Cached(tmp_path, small_disk / "cache", scripts={"large": large})
    assert sorted(cached.run(a=step(), large=step())) == ["a", "large"]
    assert cached.finished is not None
    assert cached.finished.exit_code == 0
    assert [text for text in cached.notices if "not kept for later runs" in text and "No space left" in text]
    assert not list((cached.root / "new").iterdir())
    assert cached.run(a=step(), large=step()) == ["large"]


def test_a_read_only_cache_still_gives_what_it_holds_or_is_off(tmp_path: Path, small_disk: Path) -> None:
    cached = Cached(tmp_path, small_disk / "cache")
    cached.run(a=step())
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        assert cached.run(a=step()) == ["a"]
        assert [text for text in cached.notices if "Read-only file system" in text]
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert cached.run(a=step()) == []


@pytest.mark.parametrize("where", ["adopt", "key_of"])
def test_a_fault_of_the_cache_itself_costs_a_run_of_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def faulty(*_: object, **__: object) -> None:
        raise RuntimeError("no such thing")

    cached = Cached(tmp_path)
    cached.run(a=step())
    with monkeypatch.context() as patch:
        patch.setattr(lookup, where, faulty)
        assert cached.run(a=step()) == ["a"]
        assert [text for text in cached.notices if "RuntimeError: no such thing" in text]
    assert cached.run(a=step()) == []


def test_many_open_a_new_cache_at_once(tmp_path: Path) -> None:
    for number in range(20):
        gate = threading.Barrier(6)

        def first(root: Path = tmp_path / str(number), gate: threading.Barrier = gate) -> bytes:
            gate.wait()
            place = folder.open_folder(root)
            place.pin(f"run-{threading.get_ident()}")
            assert not place.dead()
            return place.secret()

        with ThreadPoolExecutor(6) as pool:
            secrets = {future.result() for future in [pool.submit(first) for _ in range(6)]}
        assert len(secrets) == 1


def test_what_killed_runs_left_goes_with_the_next(tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    cached.run(a=step())
    (cached.root / "new/20260101T000000Z-dead00/x").mkdir(parents=True)
    (cached.root / "pins/20260101T000000Z-dead00").write_text(labels.owner().replace("|", "|x", 1) + "\n")
    cached.run(a=step())
    assert not cached.files("new")
    assert not cached.files("pins")


def test_a_run_that_is_stopped_at_a_hit_leaves_nothing_half(tmp_path: Path) -> None:
    gates = Gates()
    cached = Cached(tmp_path)
    cached.run(a=step(), b=step("a"))
    cached.engine_options["hook"] = gates
    harness = cached.prepare()
    run = harness.prepare(a=step(), b=step("a"))
    run.cancel(15)
    finished = run.execute()
    assert finished.exit_code == 143
    assert not list(harness.root.glob("steps/*/outputs.part"))
    assert cached.run(a=step(), b=step("a")) == []
