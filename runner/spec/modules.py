"""Whether `python -m NAME` finds something below a source directory, and what was meant if not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.spec.names import nearest

_MOST = 2000
"""Files that are looked at for a suggestion."""


class Folder:
    """The files of a directory, as a collection of relative paths."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __contains__(self, name: object) -> bool:
        return (self._root / str(name)).is_file()

    def __iter__(self) -> Iterator[str]:
        """At most `_MOST`."""
        for number, path in enumerate(self._root.rglob("*.py")):
            if number == _MOST:
                return
            yield path.relative_to(self._root).as_posix()


def fault(module: str, source_dir: str, names: Folder | frozenset[str]) -> str:
    """Why `python -m module` would find nothing to run, or an empty text. `names`: relative paths of files."""
    path = module.replace(".", "/")
    if f"{path}.py" in names or f"{path}/__main__.py" in names:
        return ""
    if f"{path}/__init__.py" in names:
        return f"the package '{module}' has no __main__.py, so that python -m cannot run it (looked in {source_dir})"
    best = nearest(module, _modules(names))
    hint = f" (did you mean '{best}'?)" if best else ""
    return f"no module '{module}' in {source_dir}{hint}: neither {path}.py nor {path}/__main__.py is there"


def _modules(names: Folder | frozenset[str]) -> Iterator[str]:
    """The modules and packages that can be run."""
    for name in sorted(names):
        if name.endswith("/__main__.py"):
            yield name.removesuffix("/__main__.py").replace("/", ".")
        elif name.endswith(".py") and not name.endswith("__init__.py"):
            yield name.removesuffix(".py").replace("/", ".")
