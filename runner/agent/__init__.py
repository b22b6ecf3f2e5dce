"""The program that runs inside the container, as text: see `agent.py`."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_PARTS = ("kernel", "copying", "inputs", "data", "trace", "renew", "script", "credentials", "errands", "agent")
"""In the order of their needs: each uses names of those before it."""
_BETWEEN_PARTS = re.compile(r"^from runner\.agent\.\w+ import (?:\([^)]*\)|.*)\n", re.MULTILINE)
_DESCRIPTOR = '_runner_file = int(__import__("os").environ.pop("_RUN_PIPELINE_TRACE"))\n'
_LEAVE_ARCHIVE = 'os.close(int(_runner_own_path().rpartition("/")[2]))\n_runner_chain()\n'


@cache
def agent_source() -> str:
    """The agent as one text, to be given to the image's interpreter with `-c`: no file of ours has to be mounted."""
    return _joined(*_PARTS)


def hook_source(traced: Sequence[str] | None = None) -> str:
    """The start-up hook of a staged interpreter; the agent writes it inside the container and removes it.

    `traced`: the job's directories in the container, when the script is to be traced.
    """
    if traced is None:
        return _joined("chain", "environ", "hook")
    return _DESCRIPTOR + _joined("chain", "words", "tracer", "environ", "hook") + _install(traced)


def tracer_archive(traced: Sequence[str]) -> bytes:
    """A zip file with the `sitecustomize` that traces an interpreter which is not staged. The agent holds it in memory
    and names its descriptor in PYTHONPATH: there is no file to be seen, and none to be removed."""
    text = _DESCRIPTOR + _joined("chain", "words", "tracer") + _LEAVE_ARCHIVE + _install(traced)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("sitecustomize.py"), text)
    return buffer.getvalue()


def _install(traced: Sequence[str]) -> str:
    return f"_runner_trace(_runner_file, {list(traced)!r})\n"


@cache
def _joined(*parts: str) -> str:
    return "".join(_BETWEEN_PARTS.sub("", _read(part)) for part in parts)


@cache
def requirements_source() -> str:
    """The program that resolves a `requirements.txt`, for the image's interpreter with `-c`."""
    return _read("requirements")


@cache
def modules_source() -> str:
    """The program that lists what an interpreter can import, for `-c` as well."""
    return _read("modules")


@cache
def batch_source() -> str:
    """The client that a transform step's data is posted with, for `-c` as well."""
    return _joined("records", "batch")


def _read(part: str) -> str:
    return (Path(__file__).parent / f"{part}.py").read_text(encoding="utf-8")
