"""The code of a step, and the packages that it asks for, as shell commands: a part of `byhand`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from runner.data.unpack import holds
from runner.engine.base import BoundInput
from runner.engine.dockercli import bind
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


def asking(job: ContainerJob) -> CodeTree | CodeBundle | None:
    """The code of a step whose `requirements.txt` is installed for it; None when there is nothing to install."""
    source = next((item.source for item in job.inputs if isinstance(item.source, CodeTree | CodeBundle)), None)
    asks = job.requirements is not None and source is not None and holds(Path(source.path), REQUIREMENTS)
    return source if asks else None


@dataclass(frozen=True, slots=True)
class Packages:
    """What a step's `requirements.txt` needs before the step's container, which may have no network."""

    mount: BoundInput
    lines: list[str]


def packages(job: ContainerJob, root: Path, image: str) -> Packages | None:
    """None when the step has no `requirements.txt` that is installed for it. `root` is the step's directory."""
    source = asking(job)
    if source is None:
        return None
    mount = BoundInput("requirements", COLLECTED, root / "requirements")
    unpacked = root / "requirements-code"  # a copy, since a local project is built where it lies
    lines = [shlex.join(["mkdir", "-p", str(mount.host), str(unpacked)]), copy_code(CodeTree(source.path), unpacked)]
    script = (
        f"{job.requirements} -m pip wheel --wheel-dir {COLLECTED} -r {REQUIREMENTS}"
        f" && find {COLLECTED} -name '*.whl' > {COLLECTED}/{REQUIREMENTS}"
    )
    words = ["docker", "run", "--rm", "--mount", bind(unpacked, _CODE), "--mount"]
    words += [bind(mount.host, COLLECTED), "--workdir", _CODE, "--entrypoint", "/bin/sh", image, "-c", script]
    remark = f"# What {REQUIREMENTS} asks for, over the network, with the pip settings of the image."
    return Packages(mount, [*lines, remark, shlex.join(words)])
