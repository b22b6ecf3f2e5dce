"""What a step's interpreter imports while it waits for its inputs: see `runner.spec.preimports`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from runner.errors import SpecError
from runner.sagemaker.job import CodeFile, CodeTree, ContainerJob, InputMount
from runner.spec.archives import is_archive
from runner.spec.preimports import Early, early_imports


def preimported(job: ContainerJob, code: Path) -> tuple[str, ...]:
    """For a launch: `code` is the host directory of the copy that will run, so that no edit comes in between."""
    found = _early(job, code) if job.preimport else None
    return found.modules if found is not None else ()


def planned(job: ContainerJob) -> Early | None:
    """For a plan: by the files as they are now. None where no Python script is started, or it cannot be read here."""
    sent = _sent(job)
    if sent is None or is_archive(str(getattr(sent[0].source, "path", ""))):
        return None
    source = sent[0].source
    place = Path(source.path) if isinstance(source, CodeFile | CodeTree) else Path()
    return _early(job, place.parent if isinstance(source, CodeFile) else place)


def _early(job: ContainerJob, code: Path) -> Early | None:
    sent = _sent(job)
    if sent is None:
        return None
    mount, relative = sent
    script = code / (Path(mount.source.path).name if isinstance(mount.source, CodeFile) else relative)
    roots = [script.parent]
    if mount.target in dict(job.env).get("PYTHONPATH", "").split(":"):
        roots.append(code)
    try:
        return early_imports(script, () if isinstance(mount.source, CodeFile) else tuple(dict.fromkeys(roots)))
    except SpecError:
        return None  # the script itself will say what is wrong with it


def _sent(job: ContainerJob) -> tuple[InputMount, PurePosixPath] | None:
    """The input that holds the script which `python3 script.py` starts, and the script's place in it."""
    words = job.entrypoint or ()
    if len(words) < 2 or not PurePosixPath(words[0]).name.startswith("python"):
        return None
    path = PurePosixPath(job.working_dir or "/") / words[1]
    for item in job.inputs:
        if path.suffix == ".py" and path.is_relative_to(item.target) and isinstance(item.source, CodeFile | CodeTree):
            return item, path.relative_to(item.target)
    return None
