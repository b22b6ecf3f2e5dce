"""Files that a script can leave and that would hang, break or bloat who reads them."""

from __future__ import annotations

import gzip
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from runner.data.formats import describe, describe_tree
from runner.data.tables import Format

MIB = 1 << 20
LOOK = """
import json, sys
from pathlib import Path
from runner.data.formats import describe
def read(): return int(Path("/proc/self/io").read_text().split()[1])
def peak(): return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) << 10
path, before = Path(sys.argv[1]), read()
schema = describe(path, root=path.parent, whole=sys.argv[2] == "whole")
found = {"read": read() - before, "peak": peak(), "rows": schema.rows}
found |= {"complete": schema.complete, "fault": schema.fault}
found["columns"], found["heavy"] = len(schema.columns or ()), sorted({"pandas", "numpy", "pyarrow"} & set(sys.modules))
print(json.dumps(found))
"""


def looked(path: Path, how: str = "sample") -> dict[str, object]:
    """By a process of its own: what it read, and the most memory that it had (bytes)."""
    argv = [sys.executable, "-c", LOOK, str(path), how]
    return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout)  # type: ignore[no-any-return]


def block(rows: int = 20_000) -> bytes:
    lines = (
        f"{number},{number / 7},{'abc'[number % 3]},2024-01-{number % 28 + 1:02d},name {number}\n"
        for number in range(rows)
    )
    return "".join(lines).encode()


def repeated(path: Path, size: int, head: bytes, part: bytes) -> int:
    """Returns how often `part` was written."""
    times = size // len(part)
    with path.open("wb") as stream:
        stream.write(head)
        for _ in range(times):
            stream.write(part)
    return times


def test_a_sample_of_a_big_table_reads_little_and_takes_little_memory(tmp_path: Path) -> None:
    part = block()
    times = repeated(tmp_path / "a.csv", 300 * MIB, b"id,x,kind,day,name\n", part)
    found = looked(tmp_path / "a.csv")
    assert (found["fault"], found["complete"], found["columns"], found["heavy"]) == (None, False, 5, [])
    assert isinstance(found["rows"], int) and abs(found["rows"] - times * 20_000) < times * 2_000
    assert int(str(found["read"])) < 2 * MIB
    assert int(str(found["peak"])) < 50 * MIB


def test_the_whole_of_a_table_takes_no_more_memory_when_it_is_larger(tmp_path: Path) -> None:
    part = block()
    times = repeated(tmp_path / "a.csv", 40 * MIB, b"id,x,kind,day,name\n", part)
    found = looked(tmp_path / "a.csv", "whole")
    assert (found["fault"], found["complete"], found["rows"]) == (None, True, times * 20_000)
    assert int(str(found["read"])) >= 39 * MIB
    assert int(str(found["peak"])) < 60 * MIB


@pytest.mark.parametrize("how", ["sample", "whole"])
@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.txt"])
def test_one_line_without_an_end(tmp_path: Path, name: str, how: str) -> None:
    repeated(tmp_path / name, 100 * MIB, b'[{"a": "' if "json" in name else b"", b"12," * (1 << 18))
    found = looked(tmp_path / name, how)
    assert found["fault"] is not None
    assert int(str(found["read"])) < 10 * MIB
    assert int(str(found["peak"])) < 80 * MIB


@pytest.mark.parametrize("how", ["sample", "whole"])
def test_a_hundred_thousand_columns(tmp_path: Path, how: str) -> None:
    header = ",".join(f"column_{number}" for number in range(100_000))
    (tmp_path / "a.csv").write_text("\n".join([header, *[",".join(["0.125"] * 100_000)] * 8, ""]))
    found = looked(tmp_path / "a.csv", how)
    assert (found["columns"], found["fault"]) == (100_000, None)
    assert int(str(found["peak"])) < 250 * MIB


def test_more_columns_than_are_looked_into(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1," * 300_000 + "1\n")
    found = describe(tmp_path / "a.csv", root=tmp_path)
    assert found.fault == "a line after 0 has more than 200,000 fields: not looked into"


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    zeros, rows = gzip.compress(bytes(MIB), 9), gzip.compress(b"1,2,3\n" * 175_000, 9)
    repeated(tmp_path / "zeros.csv.gz", 400 * len(zeros), b"", zeros)
    repeated(tmp_path / "rows.csv.gz", 400 * len(rows), b"", rows)
    for how in ("sample", "whole"):
        found = looked(tmp_path / "zeros.csv.gz", how)
        assert found["fault"] == "its name says csv, its content is unknown"
        assert int(str(found["peak"])) < 50 * MIB
    assert looked(tmp_path / "rows.csv.gz")["fault"] is None


def test_rows_that_unpack_without_end_are_not_read_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.data.formats.contents._BOMB_SIZE", MIB)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"1,2,3\n" * MIB, 9))
    found = describe(tmp_path / "a.csv.gz", root=tmp_path, whole=True)
    assert "times its size: not read further" in str(found.fault)
    assert (found.complete, found.rows) == (False, None)


def test_a_value_longer_than_the_csv_module_takes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"a,b\n1,x\n2,{'y' * 200_000}\n3,z\n")
    found = describe(tmp_path / "a.csv", root=tmp_path, whole=True)
    assert (found.fault, found.complete, found.rows) == (None, False, None)
    assert found.details["not read further"].startswith("in line 3: field larger than field limit")
    assert found.details["rows read"] == "1"


def test_a_quote_that_is_never_closed_ends_the_reading_soon(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'a,b\n1,"x\n' + b"1,2\n" * (5 * MIB))
    found = looked(tmp_path / "a.csv", "whole")
    assert (found["complete"], found["rows"]) == (False, None)
    assert int(str(found["read"])) < MIB


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.csv")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        start = time.monotonic()
        found = {schema.path: schema.fault for schema in describe_tree(tmp_path)}
    assert found == {"fifo.csv": "is a FIFO: not read", "socket": "is a socket: not read"}
    assert time.monotonic() - start < 5
    assert describe(tmp_path, root=tmp_path.parent).fault == "is a directory: not read"
    assert describe(tmp_path / "none", root=tmp_path).fault == "cannot be read: No such file or directory"
    device = describe(Path("/dev/zero"), root=Path("/dev"))
    assert device.fault == "is a device: not read"


def test_symlinks_are_followed_inside_only(tmp_path: Path) -> None:
    root = tmp_path / "out"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    (root / "sub/a.csv").write_text("a,b\n1,2\n")
    (root / "inside.csv").symlink_to("sub/a.csv")
    (root / "outside.csv").symlink_to("../secret.csv")
    (root / "loop").symlink_to("loop")
    (root / "lost").symlink_to("nothing")
    (root / "folder").symlink_to("sub")
    (root / "away").symlink_to(tmp_path)
    found = {schema.path: schema for schema in describe_tree(root)}
    assert sorted(found) == ["away", "folder", "inside.csv", "loop", "lost", "outside.csv", "sub/a.csv"]
    assert (found["inside.csv"].rows, found["inside.csv"].details) == (1, {"symlink to": "sub/a.csv"})
    assert "leads out of the directory: not followed" in str(found["outside.csv"].fault)
    assert found["outside.csv"].columns is None
    assert "leads out of the directory" in str(found["away"].fault)
    assert found["folder"].fault == "is a directory: not read"
    assert found["lost"].fault == "cannot be read: No such file or directory"
    assert found["loop"].fault is not None
    assert "leads out" in str(describe(root / "away/secret.csv", root=root).fault)


def test_what_may_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "a.csv").write_text("a,b\n1,2\n")
        (root / "a.csv").chmod(0)
        (root / "shut").mkdir(mode=0)
        if os.geteuid() == 0:  # root may read everything
            os.seteuid(65534)
        try:
            found = {schema.path: schema.fault for schema in describe_tree(root)}
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
        (root / "shut").chmod(stat.S_IRWXU)
    assert found == {"a.csv": "cannot be read: Permission denied", "shut": "may not be entered: Permission denied"}


def test_what_the_system_refuses_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read fails, or a later one."""
    (tmp_path / "a.csv").write_bytes(block())
    real, reads = os.pread, [0]

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        reads[0] += 1
        if offset >= failing:
            raise OSError(5, "Input/output error")
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    failing = 0
    assert describe(tmp_path / "a.csv", root=tmp_path).fault == "cannot be read: Input/output error"
    failing = 200_000
    found = describe(tmp_path / "a.csv", root=tmp_path)
    assert found.fault == "cannot be read further: Input/output error"
    assert (found.complete, found.rows, len(found.columns or ())) == (False, None, 5)


def test_an_error_of_the_reader_itself_is_told_and_stops_no_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.json"):
        (tmp_path / name).write_text("[1]" if name == "b.json" else "a,b\n1,2\n")

    def broken(*_: object) -> object:
        raise KeyError("x")

    monkeypatch.setattr("runner.data.formats.describing.read_delimited", broken)
    assert [schema.fault for schema in describe_tree(tmp_path)] == ["could not be looked into: KeyError: 'x'", None]


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = b"caf\xe9\n.csv"
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("a,b\n1,2\n")
    (found,) = describe_tree(tmp_path)
    assert (os.fsencode(found.path), found.rows) == (name, 1)


def test_a_tree_is_sorted_and_says_when_there_is_more(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number % 3}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 3}/{number:02d}.csv").write_text("a,b\n1,2\n")
    paths = [schema.path for schema in describe_tree(tmp_path)]
    assert len(paths) == 12
    assert paths == sorted(paths)
    *some, more = describe_tree(tmp_path, limit=5)
    assert [schema.path for schema in some] == paths[:5]
    assert more.path == "."
    assert more.fault == "holds 7 more files, which were not looked at (the first 5 by path were)"
    assert describe_tree(tmp_path / "none")[0].fault == "cannot be looked into: No such file or directory"


def test_a_directory_deeper_than_a_path_can_say(tmp_path: Path) -> None:
    above = os.open(tmp_path, os.O_RDONLY)
    for _ in range(600):
        os.mkdir("directory", dir_fd=above)
        below = os.open("directory", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(os.open("a.csv", os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)
    (found,) = describe_tree(tmp_path)
    assert (found.format, found.fault) == (Format.UNKNOWN, "cannot be read: File name too long")


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(block())
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        if stat.S_ISREG(status.st_mode):
            os.truncate(tmp_path / "a.csv", 10)
        return status

    monkeypatch.setattr(os, "fstat", fstat)
    found = describe(tmp_path / "a.csv", root=tmp_path, whole=True)
    assert (found.format, found.complete) == (Format.CSV, True)


@pytest.mark.parametrize("seed", range(200))
def test_bytes_of_any_kind_raise_nothing(tmp_path: Path, seed: int) -> None:
    """Valid beginnings of every format, with what follows changed or cut at random."""
    import random

    rng = random.Random(seed)
    starts = [
        b"PAR1",
        b"\x93NUMPY\x01\0v\0",
        b"PK\x03\x04",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"II*\0",
        b"GIF89a",
        b"\x80\x04\x95",
    ]
    starts += [
        b"\x1f\x8b\x08\0",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"[{",
        b'{"a":[',
        b"1 1:2 ",
        b'a,"b',
        b"\xff\xfe",
        b"\x0a\x23\xd7\xce",
        b"\x78\x9c",
    ]
    alphabet = rng.choice([bytes(range(256)), b'01,.:{}[]" \n\t\0ae-', b"\0\xff\x01c("])
    data = rng.choice(starts) + bytes(rng.choices(alphabet, k=rng.choice([0, 1, 10, 500, 5000])))
    name = rng.choice(
        ["a", "a.csv", "a.json", "a.jsonl", "a.parquet", "a.npy", "a.npz", "a.pkl", "a.tar.gz", "a.libsvm", "a.csv.zst"]
    )
    (tmp_path / name).write_bytes(data)
    for whole in (False, True):
        fault = describe(tmp_path / name, root=tmp_path, whole=whole).fault or ""
        assert not fault.startswith("could not be looked into"), (fault, name, data[:100])
