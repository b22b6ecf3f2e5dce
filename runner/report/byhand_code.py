"""The code of a step, and the packages that it asks for, as shell commands: a part of `byhand`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from runner.engine.base import BoundOutput
from runner.engine.dockercli import csv_field
from runner.sagemaker.code import BUNDLE, COLLECTED, REQUIREMENTS
from runner.sagemaker.job import CodeBundle, CodeFile, CodeText, CodeTree, ContainerJob
from runner.spec import archives

_CODE = "/code"


def copy_code(source: CodeFile | CodeTree | CodeBundle | CodeText, target: Path) -> str:
    """A command that lays code out in the directory of its mount."""
    if isinstance(source, CodeText):
        return f"{shlex.join(['printf', '%s', source.content])} > {shlex.quote(str(target / source.name))}"
    if isinstance(source, CodeFile):
        return shlex.join(["cp", source.path, f"{target}/"])
    packed = archives.is_archive(source.path)
    if isinstance(source, CodeBundle):
        bundle = str(target / BUNDLE)
        left_out = ["--exclude=__pycache__", "--exclude=.git"]
        return shlex.join(
            ["cp", "-L", source.path, bundle] if packed else ["tar", "-C", source.path, *left_out, "-chzf", bundle, "."]
        )
    return shlex.join(
        ["tar", "-C", str(target), "-xzf", source.path] if packed else ["cp", "-RL", f"{source.path}/.", f"{target}/"]
    )


@dataclass(frozen=True, slots=True)
class Packages:
    """What a step's `requirements.txt` needs before the step's container, which may have no network."""

    mount: BoundOutput
    lines: list[str]


def packages(job: ContainerJob, root: Path, image: str) -> Packages | None:
    """None when the step has no `requirements.txt` that is installed for it. `root` is the step's directory."""
    source = next((item.source for item in job.inputs if isinstance(item.source, CodeTree | CodeBundle)), None)
    if job.requirements is None or source is None or not _asks(Path(source.path)):
        return None
    mount, code = BoundOutput("requirements", COLLECTED, root / "requirements"), source.path
    lines = [shlex.join(["mkdir", "-p", str(mount.host)])]
    if archives.is_archive(code):
        code = str(root / "unpacked")
        lines += [shlex.join(["mkdir", code]), shlex.join(["tar", "-C", code, "-xzf", source.path])]
    script = (
        f"{job.requirements} -m pip wheel --wheel-dir {COLLECTED} -r {REQUIREMENTS}"
        f" && find {COLLECTED} -name '*.whl' > {COLLECTED}/{REQUIREMENTS}"
    )
    words = ["docker", "run", "--rm", "--mount", _bind(code, _CODE, ",readonly"), "--mount"]
    words += [_bind(str(mount.host), COLLECTED), "--workdir", _CODE, "--entrypoint", "/bin/sh", image, "-c", script]
    remark = f"# What {REQUIREMENTS} asks for, with a network, and with pip's own settings in the image."
    return Packages(mount, [*lines, remark, shlex.join(words)])


def _asks(source: Path) -> bool:
    try:
        named = REQUIREMENTS in archives.files(source) if archives.is_archive(source.name) else None
    except (OSError, archives.Unfit):
        return False  # the copy of the archive fails next, in words of its own
    return (source / REQUIREMENTS).is_file() if named is None else named


def _bind(source: str, target: str, more: str = "") -> str:
    return f"type=bind,{csv_field(f'source={source}')},target={target}{more}"
