"""`source_dir`, archives of one, and `module`: what is taken, and what is refused before anything starts."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.spec import archives
from runner.spec.models import Pipeline

Load = Callable[..., Pipeline]
Refuse = Callable[..., list[str]]

HEAD = "image: python\nsteps:\n  s:\n"
AGAIN = "pack it again: tar -czf code.tar.gz -C DIRECTORY ."


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def pack(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info in members:
            archive.addfile(info)
    return path


def test_an_archive_is_a_source_directory(project: Path, load_text: Load) -> None:
    root = member(".", tarfile.DIRTYPE)
    pack(project / "code.tar.gz", root, member("./train.py"), member("pkg/mod.py"), member("pkg/__main__.py"))
    for program in ("script: train.py", "script: ./train.py", "module: pkg", "module: pkg.mod"):
        load_text(f"{HEAD}    source_dir: code.tar.gz\n    {program}\n")


INSIDE = [
    [member("a.py"), member("b.py", tarfile.SYMTYPE, "a.py")],
    [member("d/e/b.py", tarfile.SYMTYPE, "../../a.py"), member("a.py")],
    [member("a.py"), member("d/b.py", tarfile.LNKTYPE, "a.py")],
    [member("a.py"), member("a..b"), member("..c")],
    [
        member("a.py", tarfile.SYMTYPE, "b"),
        member("a.py"),
        member("d", tarfile.DIRTYPE),
        member("./d", tarfile.DIRTYPE),
    ],
]


@pytest.mark.parametrize("members", INSIDE)
def test_what_stays_inside_is_taken(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    assert "a.py" in archives.files(pack(tmp_path / "code.tar.gz", *members))


OUTSIDE = [
    ([member("../x.py")], "'../x.py', whose '..' leads out of the archive"),
    ([member("a/../../x.py")], "'a/../../x.py', whose '..' leads out of the archive"),
    ([member("/etc/x.py")], "'/etc/x.py', an absolute path"),
    ([member("l", tarfile.SYMTYPE, "/etc")], "'l', a link to the absolute path '/etc'"),
    ([member("l", tarfile.SYMTYPE, "..")], "'l', a link to '..', which leads out of the archive"),
    ([member("d/l", tarfile.SYMTYPE, "../../x")], "'d/l', a link to '../../x', which leads out of the archive"),
    ([member("l", tarfile.SYMTYPE, "a/../x")], "'l', a link to 'a/../x', which leads out of the archive"),
    ([member("l", tarfile.LNKTYPE, "../x")], "'l', a link to '../x', which leads out of the archive"),
    ([member("l", tarfile.LNKTYPE, "/etc/x")], "'l', a link to the absolute path '/etc/x'"),
    ([member("l", tarfile.SYMTYPE, "d"), member("l/x.py")], "'l/x.py', which lies behind a link"),
    (
        [member("d/l", tarfile.SYMTYPE, "../x"), member("h", tarfile.LNKTYPE, "d/l")],
        "'h', a hard link to the link 'd/l'",
    ),
    ([member("h", tarfile.LNKTYPE, "x")], "'h', a hard link to 'x', and no file of that name comes before it"),
    ([member("d/x"), member("h", tarfile.LNKTYPE, "d")], "'h', a hard link to 'd', and no file of that name comes"),
    ([member("a.py", tarfile.LNKTYPE, "a.py")], "'a.py', a hard link to 'a.py', and no file of that name comes"),
    ([member("a.py/b")], "'a.py/b', which lies below 'a.py', a file"),
    ([member("a.py/b/c", tarfile.DIRTYPE)], "'a.py/b/c', which lies below 'a.py', a file"),
    ([member("d/x"), member("d")], "'d', a file where it also has a directory"),
    ([member("d/x"), member("d", tarfile.SYMTYPE, "y")], "'d', a link where it also has a directory"),
    ([member("./a.py", tarfile.DIRTYPE)], "'./a.py', a directory where it also has a file"),
    ([member("n" * 256)], "whose name no file system takes"),
    ([member("null", tarfile.CHRTYPE)], "'null', which is a device or a FIFO"),
    ([member("pipe", tarfile.FIFOTYPE)], "'pipe', which is a device or a FIFO"),
]


@pytest.mark.parametrize(("members", "words"), OUTSIDE, ids=[words for _, words in OUTSIDE])
def test_what_leads_out_is_refused_with_its_line(
    project: Path, refuse: Refuse, members: list[tarfile.TarInfo], words: str
) -> None:
    pack(project / "code.tar.gz", member("a.py"), *members)
    (line,) = refuse(f"{HEAD}    source_dir: code.tar.gz\n    script: a.py\n")
    assert line.startswith("pipeline.yaml:4:17: steps.s.source_dir: the archive 'code.tar.gz' has the member ")
    assert words in line
    assert line.endswith(f"; {AGAIN}")


@pytest.mark.parametrize(
    "content", [b"", b"plain text", gzip.compress(b"no tar" * 200, mtime=0), b"\x1f\x8b\x08\x00torn"]
)
def test_what_is_no_archive_is_refused(project: Path, refuse: Refuse, content: bytes) -> None:
    (project / "code.tgz").write_bytes(content)
    (line,) = refuse(f"{HEAD}    source_dir: code.tgz\n    script: a.py\n")
    if not content:
        assert "no file 'a.py' in the archive" in line or "is no gzip-compressed" in line
    else:
        assert "the archive 'code.tgz' is no gzip-compressed tar archive, or a damaged one" in line
        assert line.endswith(AGAIN)


def test_a_torn_archive_is_refused(tmp_path: Path) -> None:
    whole = pack(tmp_path / "code.tar.gz", *(member(f"{n}.py") for n in range(200))).read_bytes()
    (tmp_path / "torn.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(archives.Unfit, match="damaged"):
        archives.files(tmp_path / "torn.tar.gz")


def test_the_work_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = pack(tmp_path / "many.tar.gz", *(member(f"{n}.py") for n in range(20)))
    monkeypatch.setattr(archives, "MOST_MEMBERS", 10)
    with pytest.raises(archives.Unfit, match="more than 10 members"):
        archives.files(many)
    large, data = member("zeros"), bytes(3 << 20)
    large.size = len(data)
    with tarfile.open(tmp_path / "large.tar.gz", "w:gz") as archive:
        archive.addfile(large, io.BytesIO(data))
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    with pytest.raises(archives.Unfit, match="unpacks to more than 1 MiB"):
        archives.files(tmp_path / "large.tar.gz")


def test_a_changed_archive_is_read_again(tmp_path: Path) -> None:
    path = pack(tmp_path / "code.tar.gz", member("a.py"))
    assert archives.files(path) == {"a.py"}
    pack(path, member("longer.py"), member("b.py"))
    assert archives.files(path) == {"longer.py", "b.py"}


FAULTS = [
    (
        "    source_dir: code.tar.gz\n    script: trian.py\n",
        "5:13: steps.s.script: no file 'trian.py' in the archive 'code.tar.gz' (did you mean 'train.py'?); "
        "its files begin at its root",
    ),
    (
        "    source_dir: code.tar.gz\n    module: pgk.mod\n",
        "5:13: steps.s.module: no module 'pgk.mod' in code.tar.gz (did you mean 'pkg.mod'?): neither pgk/mod.py nor "
        "pgk/mod/__main__.py is there",
    ),
    (
        "    source_dir: code.tar.gz\n    module: pkg\n",
        "5:13: steps.s.module: the package 'pkg' has no __main__.py, so that python -m cannot run it (looked in "
        "code.tar.gz)",
    ),
    (
        "    source_dir: src\n    module: mian\n",
        "5:13: steps.s.module: no module 'mian' in src (did you mean 'main'?): neither mian.py nor mian/__main__.py "
        "is there",
    ),
    ("    module: main\n", "4:5: steps.s.module: needs a 'source_dir', the directory below which it lies"),
    (
        "    source_dir: src\n    script: main.py\n    module: main\n",
        "6:5: steps.s.module: and 'script' both say what to run; leave one of them out",
    ),
    (
        "    source_dir: src\n    entrypoint: [python3, main.py]\n    module: main\n",
        "6:5: steps.s.module: has no effect beside an 'entrypoint', which says what to run",
    ),
    (
        "    source_dir: src\n    module: pkg/train.py\n",
        "5:13: steps.s.module: 'pkg/train.py' is not a module's name, as package.module; write 'pkg.train'",
    ),
    ("    source_dir: src\n    module: a-b\n", "5:13: steps.s.module: 'a-b' is not a module's name, as package.module"),
    (
        "    source_dir: src\n    script: main.py\n    inputs: {entrypoint: data/raw}\n",
        "6:14: steps.s.inputs.entrypoint: the name 'entrypoint' is taken by the runproc.sh that starts code of a "
        "'source_dir'; rename the input",
    ),
    ("    source_dir: gone.tar.gz\n    script: a.py\n", None),
]


@pytest.mark.parametrize(("text", "line"), FAULTS, ids=[str(line) for _, line in FAULTS])
def test_faults_of_code(project: Path, refuse: Refuse, text: str, line: str | None) -> None:
    pack(project / "code.tar.gz", member("train.py"), member("pkg/mod.py"), member("pkg/__init__.py"))
    found = refuse(HEAD + text)
    if line is None:
        assert found == [
            "pipeline.yaml:4:17: steps.s.source_dir: no file 'gone.tar.gz' (did you mean 'code.tar.gz'?) "
            "(looked for gone.tar.gz)"
        ]
    else:
        assert found == [f"pipeline.yaml:{line}"]


@pytest.mark.parametrize(
    "text",
    [
        "    script: a.py\n    inputs: {entrypoint: data/raw}\n",
        "    source_dir: src\n    entrypoint: [python3, main.py]\n    inputs: {entrypoint: data/raw}\n",
        "    type: training\n    source_dir: src\n    script: main.py\n    inputs: {entrypoint: data/raw}\n",
    ],
)
def test_the_name_entrypoint_is_free_elsewhere(load_text: Load, text: str) -> None:
    load_text(HEAD + text)
