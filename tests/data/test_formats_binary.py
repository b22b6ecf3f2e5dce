"""Parquet, arrays, pickles, archives, images, told without unpickling or unpacking."""

from __future__ import annotations

import binascii
import io
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from runner.data.formats import describe
from runner.data.tables import FileSchema, Format


def told(folder: Path, name: str, content: bytes) -> FileSchema:
    (folder / name).write_bytes(content)
    return describe(folder / name, root=folder)


def parquet(folder: Path) -> bytes:
    path = folder / "whole.parquet"
    pd.DataFrame({"a": range(1000), "s": ["x"] * 1000}).to_parquet(path, row_group_size=300)
    return path.read_bytes()


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_parquet_file_that_was_cut(tmp_path: Path, part: float) -> None:
    whole = parquet(tmp_path)
    schema = told(tmp_path, "a.parquet", whole[: max(4, int(len(whole) * part))])
    assert (schema.format, schema.columns, schema.complete) == (Format.PARQUET, None, False)
    assert str(schema.fault).startswith("half-written: ")


def test_a_parquet_file_without_its_middle_or_with_a_broken_footer(tmp_path: Path) -> None:
    whole = parquet(tmp_path)
    assert "should end beyond the end of the file" in str(told(tmp_path, "a.parquet", whole[:4] + whole[-2500:]).fault)
    broken = whole[:-200] + bytes(100) + whole[-100:]
    assert str(told(tmp_path, "b.parquet", broken).fault).startswith("its footer is broken: ")
    assert "its footer should have" in str(told(tmp_path, "c.parquet", whole[:4] + whole[-8:]).fault)


def test_without_pyarrow_it_says_what_to_install_and_still_finds_a_cut_file(tmp_path: Path) -> None:
    whole = parquet(tmp_path)
    (tmp_path / "cut.parquet").write_bytes(whole[:-1])
    (tmp_path / "a.csv.zst").write_bytes(b"\x28\xb5\x2f\xfd1234")
    script = """
import sys; sys.modules["pyarrow"] = None
from pathlib import Path
from runner.data.formats import describe_tree
for schema in describe_tree(Path(sys.argv[1])): print(schema.path, schema.fault, sep=": ")
"""
    argv = [sys.executable, "-c", script, str(tmp_path)]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    zstd, cut, fine = lines
    assert fine == "whole.parquet: cannot be looked into: install run-pipeline[parquet]"
    assert cut == "cut.parquet: half-written: parquet ends with the mark PAR1, and this ends without it"
    if sys.version_info < (3, 14):
        assert "install run-pipeline[parquet]" in zstd


def test_a_parquet_file_under_the_name_of_a_csv(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.csv", parquet(tmp_path))
    assert (schema.fault, schema.names) == ("its name says csv, its content is parquet", ("a", "s"))


def test_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((30, 4), "f4"))
    schema = describe(tmp_path / "a.npy", root=tmp_path)
    assert (schema.format, schema.shape, schema.details["dtype"]) == (Format.NPY, (30, 4), "float32")
    assert (schema.fault, schema.complete) == (None, True)
    whole = (tmp_path / "a.npy").read_bytes()
    assert told(tmp_path, "b.npy", whole[:-1]).fault == "half-written: its header says 608 bytes, and it has 607"
    assert str(told(tmp_path, "c.npy", whole[:50]).fault).startswith("its header is broken: ")


def test_a_structured_array_has_columns(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3, [("id", "i8"), ("é→", "f8"), ("v", "f8", 2)]))
    schema = describe(tmp_path / "a.npy", root=tmp_path)
    assert [(each.name, str(each.family)) for each in schema.columns or ()] == [
        ("id", "int"),
        ("é→", "float"),
        ("v", "nested"),
    ]
    assert schema.rows == 3


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("unpickled"),))


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bombs = np.array([Bomb()])
    np.save(tmp_path / "a.npy", bombs, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3)), y=bombs)
    joblib.dump([bombs], tmp_path / "a.joblib")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Bomb()))
    schemas = {name: describe(tmp_path / name, root=tmp_path) for name in ("a.npy", "a.npz", "a.joblib", "a.pkl")}
    assert not (tmp_path / "unpickled").exists()
    assert "allow_pickle" in schemas["a.npy"].details["objects"]
    assert (schemas["a.npz"].format, schemas["a.npz"].members) == (Format.NPZ, ("x", "y"))
    assert schemas["a.npz"].details["x"] == "float64 (2, 3)"
    assert "allow_pickle" in schemas["a.npz"].details["y"]
    assert "pathlib.Path.touch" in schemas["a.pkl"].members or "builtins.getattr" in schemas["a.pkl"].members
    assert [schema.fault for schema in schemas.values()] == [None] * 4


def test_an_npz_that_was_cut_and_another_zip(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(9))
    cut = told(tmp_path, "b.npz", (tmp_path / "a.npz").read_bytes()[:-10])
    assert (cut.format, cut.fault) == (Format.NPZ, "half-written or broken: File is not a zip file")
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    schema = describe(tmp_path / "m.keras", root=tmp_path)
    assert (schema.format, schema.members, schema.details["kind"]) == (Format.UNKNOWN, ("config.json",), "zip archive")


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_names_what_it_needs(tmp_path: Path, protocol: int) -> None:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    whole = pickle.dumps(model, protocol)
    schema = told(tmp_path, "a.pkl", whole)
    assert (schema.format, schema.complete, schema.fault) == (Format.PICKLE, True, None)
    assert schema.details["protocol"] == str(protocol if protocol > 1 else 0)
    assert "sklearn.linear_model._logistic.LogisticRegression" in schema.members
    assert "numpy.dtype" in schema.members
    cut = told(tmp_path, "b.pkl", whole[: len(whole) // 2])
    assert "half-written" in str(cut.fault) or "no pickle" in str(cut.fault)


def test_a_name_that_is_used_again_comes_from_the_memo(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.pkl", pickle.dumps([pd.Timestamp, pd.Timedelta, pd.DataFrame, np.float32, np.int8]))
    assert schema.members[-2:] == ("numpy.float32", "numpy.int8")


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_joblib(tmp_path: Path, compress: Any) -> None:
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "a.joblib", compress=compress)
    schema = describe(tmp_path / "a.joblib", root=tmp_path)
    assert (schema.format, schema.fault, schema.complete) == (Format.PICKLE, None, False)
    assert schema.members[0] == "sklearn.linear_model._logistic.LogisticRegression"
    assert "first array" in schema.details["joblib"]


def test_a_long_argument_of_a_pickle_is_passed_over(tmp_path: Path) -> None:
    schema = told(tmp_path, "a.pkl", pickle.dumps([b"x" * 10_000_000, "é" * 1_000_000, np.float32]))
    assert (schema.members, schema.complete) == (("numpy.float32",), True)
    claims = b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little") + b"x"
    assert told(tmp_path, "b.pkl", claims).fault == "half-written or no pickle: it ends within an argument"


def packed(names: list[str], mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 3000
            archive.addfile(info, io.BytesIO(b"\x07" * 3000))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("mode", "name"), [("w:gz", "m.tar.gz"), ("w:bz2", "m.tar.bz2"), ("w:xz", "m.tar.xz"), ("w", "m.tar")]
)
def test_archives(tmp_path: Path, mode: str, name: str) -> None:
    names = ["model.joblib", "code/inference.py", "x" * 150]
    schema = told(tmp_path, name, packed(names, mode))
    assert (schema.format, list(schema.members), schema.complete, schema.fault) == (Format.TAR, names, True, None)
    assert schema.details == {"members": "3", "bytes unpacked": "9,000"}


def test_of_many_members_the_first_thousand(tmp_path: Path) -> None:
    schema = told(tmp_path, "m.tar.gz", packed([f"{number}.txt" for number in range(1200)]))
    assert (len(schema.members), schema.details["members"], schema.complete) == (1000, "1,200", True)


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w"])
def test_archives_that_were_cut(tmp_path: Path, mode: str) -> None:
    whole = packed(["a", "b"], mode)
    for size in (len(whole) - 9, len(whole) // 2, len(whole) * 4 // 5):
        schema = told(tmp_path, "m.tar", whole[:size])
        if not (mode == "w" and size > 2 * (512 + 3072)):  # the zeros behind the end of a plain archive may be missing
            assert "half-written" in str(schema.fault), size
            assert not schema.complete


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", binascii.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 5, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(bytes(40))) + chunk(b"IEND", b"")
)  # fmt: skip
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 5, 7)
    + b"\x01\x01\x11\x00" + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00data\xff\xd9"
)  # fmt: skip
TIFF = b"II*\0" + struct.pack("<IHHHIHHHHIII", 8, 2, 256, 3, 1, 7, 0, 257, 4, 1, 5, 0)
IMAGES = {
    "png": PNG,
    "jpeg": JPEG,
    "gif": b"GIF89a" + struct.pack("<HH", 7, 5) + bytes(10),
    "bmp": b"BM" + struct.pack("<IHHI", 90, 0, 0, 54) + struct.pack("<Iii", 40, 7, -5) + bytes(30),
    "webp": b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\x06\0\0\x04\0\0",
    "tiff": TIFF,
}


@pytest.mark.parametrize("kind", IMAGES)
def test_images(tmp_path: Path, kind: str) -> None:
    schema = told(tmp_path, f"a.{kind}", IMAGES[kind])
    assert (schema.format, schema.shape, schema.details["kind"], schema.fault) == (Format.IMAGE, (5, 7), kind, None)


def test_images_that_were_cut(tmp_path: Path) -> None:
    assert told(tmp_path, "a.png", PNG[:-12]).fault == "half-written: this png lacks its end mark"
    assert told(tmp_path, "a.jpg", JPEG[:-2]).fault == "half-written: this jpeg lacks its end mark"
    assert told(tmp_path, "a.gif", b"GIF89a\1").fault == "its header is cut or broken: no height and width"


def test_what_is_not_known_shows_its_first_bytes(tmp_path: Path) -> None:
    schema = told(tmp_path, "model.h5", b"\x89HDF\r\n\x1a\n" + bytes(20))
    assert (schema.format, schema.details["kind"], schema.fault) == (Format.UNKNOWN, "HDF5", None)
    assert schema.details["first bytes"].startswith("89 48 44 46 0d 0a 1a 0a 00")
