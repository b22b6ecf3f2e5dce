"""How a step as it is now differs from what it was in an earlier run: its job, and the code that it would run.

What no run records is not compared: the content of the user's own input data, and the image behind a moved tag.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.data.files import json_bytes, os_fault
from runner.data.materialise import code_files
from runner.data.unpack import archived
from runner.pipeline.integrity import sha256, sizes
from runner.pipeline.layout import StepLayout
from runner.pipeline.records import plain
from runner.pipeline.store import read_or_nothing
from runner.sagemaker.job import CodeBundle, CodeFile, CodeTree, ContainerJob
from runner.spec.archives import is_archive

_WORDS = {
    "step_type": "type",
    "image": "image",
    "entrypoint": "command",
    "arguments": "arguments",
    "working_dir": "working directory",
    "env": "env",
    "inputs": "inputs",
    "outputs": "outputs",
    "checkpoints": "checkpoints",
    "limits": "resources",
    "network": "network",
    "credentials": "credentials",
    "hostname": "hostname",
    "instance_count": "instances",
    "transform": "transform",
}
"""What a person wrote, by field of `job.json`; every other field follows from these, or belongs to one run."""
CODE = CodeFile | CodeTree | CodeBundle
_HYPERPARAMETERS = "/hyperparameters.json"


def changes(job: ContainerJob, layout: StepLayout, runs_dir: Path) -> tuple[str, ...] | None:
    """The parts that differ, as `env` or `script`; None when the earlier job cannot be read.

    Raises WorkspaceError when code cannot be read.
    """
    was = read_or_nothing(layout.job)
    if not was:
        return None
    was = {**was, **was.get("asked", {})}  # a smaller machine, another image or an installation is no change
    job_now = json.loads(json_bytes(plain(job)))
    found = [word for key, word in _WORDS.items() if key in was and _sorted(was[key]) != _sorted(job_now[key])]
    if _hyperparameters(was) != _hyperparameters(job_now):
        found.append("hyperparameters")
    try:
        return (*found, *_code(job, layout.code, runs_dir))
    except OSError as error:
        raise os_fault(error, layout.code, "cannot compare the code with that of an earlier run") from error


def _sorted(value: Any) -> Any:
    """Lists of pairs and of mounts without their order, which no script sees; argument lists as they are."""
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return sorted(json.dumps(item, sort_keys=True) for item in value)
    return value


def _hyperparameters(job: Mapping[str, Any]) -> list[str]:
    return [item["content"] for item in job.get("config", ()) if item["target"].endswith(_HYPERPARAMETERS)]


def _code(job: ContainerJob, copy: Path, runs_dir: Path) -> tuple[str, ...]:
    source = next((item.source for item in job.inputs if isinstance(item.source, CODE)), None)
    if source is None:
        return ()
    path = Path(source.path)
    if isinstance(source, CodeFile):
        present = {path.name: sha256(path)}
    elif is_archive(path.name):
        present = archived(path)
    else:
        present = {relative: sha256(file) for relative, file in code_files(path, leave_out=runs_dir)}
    before = {relative: sha256(copy / relative) for relative in sizes(copy)} if copy.is_dir() else {}
    if present == before:
        return ()
    return ("script",) if isinstance(source, CodeFile) else ("source directory",)
