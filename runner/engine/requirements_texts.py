"""What decides which packages a requirements file stands for: its text, and that of every local file it refers to."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

_REFERS = re.compile(r"\s*(?:-r|--requirement|-c|--constraint)(?:\s+|=)(\S+)")
_LOCAL = re.compile(r"\s*(?:(?:-e|--editable)[\s=]|[./]|file:)|.*[@\s]file:|.*@\s*[./]")
_LEFT_OUT = frozenset({".git", "__pycache__"})


def fingerprint(root: Path, name: str) -> str:
    """A digest of the file `name` in `root` and of the files that it refers to; of all files there when it names a
    local project, since any of them may be a part of it. Raises OSError."""
    whole = hashlib.sha256()
    seen: set[Path] = set()
    local = _add(whole, root / name, seen, root)
    if local:
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(set(folders) - _LEFT_OUT)
            for each in sorted(names):
                path = Path(folder, each)
                whole.update(os.fsencode(path.relative_to(root)) + b"\0")
                if path.is_file():
                    whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _add(whole: hashlib._Hash, path: Path, seen: set[Path], root: Path) -> bool:
    """Add one file and what it refers to; returns whether a local project is named."""
    path = Path(os.path.normpath(path))
    if path in seen or not path.is_relative_to(root) or not path.is_file():
        return False  # what is not there, pip says in its own words
    seen.add(path)
    data = path.read_bytes()
    whole.update(b"%d:" % len(data) + data)
    local = False
    for line in data.decode("utf-8", "replace").replace("\\\n", "").splitlines():
        found = _REFERS.match(line)
        if found:
            local |= _add(whole, path.parent / found[1], seen, root)
        else:
            local |= _LOCAL.match(line) is not None or _is_folder(path.parent, line)
    return local


def _is_folder(directory: Path, line: str) -> bool:
    """`pkg/` and `vendor/a.whl` are local too, though nothing in their form says so."""
    name = line.partition("#")[0].partition(";")[0].strip()
    return "/" in name and not name.startswith("-") and "\0" not in name and (directory / name).exists()
