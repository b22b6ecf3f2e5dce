"""A step's script on the host, and what it imports that the step's image does not have: told before the run.

1. Only what is certain is told (`runner.spec.script.certain_imports`, `runner.engine.modules.lacking`), as a warning:
   it blocks nothing.
2. A `plan` asks no engine: it tells what an earlier run found out.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from runner.engine.base import Engine, Image
from runner.engine.modules import REQUIREMENTS, Lack, cure, known_modules, lacking
from runner.engine.standins import stand_in
from runner.errors import EnvironmentFault, SpecError
from runner.pipeline.plan import Plan
from runner.sagemaker.job import Code, CodeBundle, CodeFile, CodeText, CodeTree, ContainerJob
from runner.spec.script import certain_imports, is_neighbour

_PYTHON = re.compile(r"(?:.*/)?python[\d.]*")
_RUNS = re.compile(r"^python (\S+\.py) \"\$@\"$", re.MULTILINE)
"""The last line of `runproc.sh`."""
Modules = Callable[[str], frozenset[str]]
"""By interpreter: what it can import; none where that is not known."""


def script_of(job: ContainerJob) -> Path | None:
    """The host path of the Python file that the entrypoint names, if it is among the code."""
    for word in job.entrypoint or ():
        path = PurePosixPath(job.working_dir or "/") / word
        for item in job.inputs:
            if path.suffix != ".py" or not path.is_relative_to(item.target):
                continue
            if isinstance(item.source, CodeFile):
                return Path(item.source.path)
            if isinstance(item.source, CodeTree):
                return Path(item.source.path) / path.relative_to(item.target)
    return None


def about_modules(job: ContainerJob, image: Image, engine: Engine) -> tuple[str, ...]:
    """A warning for each module that the script imports for certain and its image lacks. Asks the engine at most once
    for an image; when it cannot say, that is the warning."""
    try:
        return tuple(_warnings(job, image.reference, lambda interpreter: engine.modules(image, interpreter)))
    except EnvironmentFault as error:
        return (f"cannot look which modules image '{image.reference}' has: {error.message}",)


def with_known_lacks(plan: Plan) -> Plan:
    """The plan with the same warnings as far as an earlier run on the same image found out what it has."""
    steps = [
        dataclasses.replace(
            step, warnings=(*step.warnings, *_warnings(step.job, step.job.image, _known(step.job.image)))
        )
        for step in plan.steps
    ]
    return dataclasses.replace(plan, steps=tuple(steps))


def _known(reference: str) -> Modules:
    def ask(interpreter: str) -> frozenset[str]:
        stand = stand_in(reference)
        found = known_modules(reference, interpreter)
        return found or (known_modules(stand.image, interpreter) if stand is not None else frozenset())

    return ask


def _warnings(job: ContainerJob, image: str, modules: Modules) -> Iterator[str]:
    sent, interpreter = _sent(job)
    if sent is None or not sent.is_file() or _has_other_places(job):
        return
    try:
        imports = certain_imports(sent)
    except SpecError:
        return  # what is wrong with it is told where the file is checked, or by the interpreter
    alone = any(isinstance(item.source, CodeFile) for item in job.inputs)
    wanted = [each for each in imports if alone or not is_neighbour(sent, each.module)]
    for lack in lacking(wanted, modules(interpreter) if wanted else (), _requirements(job)):
        yield _warning(lack, sent, image, job, beside=alone and is_neighbour(sent, lack.module))


def _warning(lack: Lack, script: Path, image: str, job: ContainerJob, *, beside: bool) -> str:
    what = f"module '{lack.module}' ({script.name}:{lack.line})"
    if beside:
        return f"{what} lies beside the script, which is sent alone: use `source_dir` to send both"
    return f"{what} is not in image '{image}': {cure(lack.module, image, with_file=job.requirements is not None)}"


def _sent(job: ContainerJob) -> tuple[Path | None, str]:
    """The script on the host, and the interpreter that will run it."""
    words = job.entrypoint or ()
    if words and _PYTHON.fullmatch(words[0]):
        return script_of(job), words[0]
    texts = [item.source.content for item in job.inputs if isinstance(item.source, CodeText)]
    bundles = [item.source.path for item in job.inputs if isinstance(item.source, CodeBundle)]
    runs = _RUNS.search(texts[0]) if texts else None
    if runs is None or not bundles:
        return None, ""
    return Path(bundles[0]) / shlex.split(runs[1])[0], "python"


def _has_other_places(job: ContainerJob) -> bool:
    """Whether modules may come from somewhere else than the image and the code."""
    code = {item.target for item in job.inputs if isinstance(item.source, Code)}
    own = dict(job.env).get("PYTHONPATH", "").split(":")
    within = [item for item in job.inputs if item.target not in code and any(item.target.startswith(c) for c in code)]
    return bool(within) or any(entry and entry.rstrip("/") not in code for entry in own)


def _requirements(job: ContainerJob) -> str | None:
    """The text of the code's `requirements.txt`; None where nothing is installed from one."""
    folders = [Path(item.source.path) for item in job.inputs if isinstance(item.source, CodeTree | CodeBundle)]
    if job.requirements is None or not folders:
        return None
    try:
        return (folders[0] / REQUIREMENTS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
