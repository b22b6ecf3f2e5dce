"""How a step as it is now differs from what it was in an earlier run: its job, and the code that it would run.

What no run records is not compared: the content of the user's own input data, and the image behind a moved tag.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from runner.data.files import json_bytes, os_fault
from runner.data.materialise import code_files
from runner.data.unpack import archived, linked
from runner.pipeline.integrity import sha256, sizes
from runner.pipeline.layout import StepLayout
from runner.pipeline.records import plain
from runner.pipeline.store import read_or_nothing
from runner.sagemaker.job import CodeFile, ContainerJob
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
    "instance_type": "instance type",
    "instance_count": "instances",
    "transform": "transform",
}
"""What a person wrote, by field of `job.json`; of the others `config` alone holds more than follows from these."""


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
    found += _configured(was, job_now)
    if not found and _config(was) != _config(job_now):
        found.append("configuration files")  # as by a URI that stands for the same image
    try:
        return (*found, *_code(job, layout.code, runs_dir))
    except OSError as error:
        raise os_fault(error, layout.code, "cannot compare the code with that of an earlier run") from error


def _sorted(value: Any) -> Any:
    """Lists of pairs and of mounts without their order, which no script sees; argument lists as they are. Content types
    are told by themselves."""
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if key != "content_type"}
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return sorted(json.dumps(item, sort_keys=True) for item in value)
    return value


def _configured(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What a person wrote that stands in the platform's files alone."""
    if _config(was).get("hyperparameters.json") != _config(now).get("hyperparameters.json"):
        yield "hyperparameters"
    if _content_types(was) != _content_types(now):
        yield "content type"


def _config(job: Mapping[str, Any]) -> dict[str, str]:
    """Text of each of the platform's files, by the file's name."""
    return {PurePosixPath(item["target"]).name: item["content"] for item in job.get("config", ())}


def _content_types(job: Mapping[str, Any]) -> dict[str, Any]:
    """By channel of a training step, or of a transform step's data; a channel without one is left out."""
    if job.get("transform"):
        return {"data": job["transform"].get("content_type")}
    channels = json.loads(_config(job).get("inputdataconfig.json", "{}"))
    return {name: channel["ContentType"] for name, channel in channels.items() if "ContentType" in channel}


def _code(job: ContainerJob, copy: Path, runs_dir: Path) -> tuple[str, ...]:
    source = job.sent_code
    if source is None:
        return ()
    path = Path(source.path)
    if isinstance(source, CodeFile):
        present = {path.name: sha256(path)}
    elif is_archive(path.name):
        present = archived(path)
    else:
        present = {relative: sha256(file) for relative, file in code_files(path, leave_out=runs_dir)}
    before = {relative: _laid_out(copy / relative) for relative in sizes(copy)} if copy.is_dir() else {}
    if present == before:
        return ()
    return ("script",) if isinstance(source, CodeFile) else ("source directory",)


def _laid_out(path: Path) -> str:
    """A link as such, as `archived` has it: a script may ask where it leads, and it may lead nowhere."""
    return linked(os.readlink(path)) if path.is_symlink() else sha256(path)  # noqa: PTH115  # as it was written
