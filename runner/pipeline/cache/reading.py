"""What a step would read, looked at for its key, and once more when it has ended."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from runner.data.digests import Digests, Seen
from runner.data.unpack import archived
from runner.engine.base import Engine, Image, Installation
from runner.pipeline.cache.key import Contents
from runner.pipeline.layout import StepLayout
from runner.pipeline.materials import Sources
from runner.pipeline.plan import PlannedStep
from runner.sagemaker.code import REQUIREMENTS
from runner.sagemaker.job import CodeFile, ContainerJob, HostData, StepData
from runner.spec.archives import is_archive


class Unknown(Exception):
    """There can be no key; `str()` says why."""


class Reader:
    """Of one run. May be used from any thread."""

    def __init__(self, engine: Engine, sources: Sources, digests: Digests) -> None:
        self._engine, self._sources, self._digests = engine, sources, digests

    def look(self, planned: PlannedStep, image: Image) -> Contents:
        """Now. Raises OSError, Stopped, and Unknown for what cannot be told."""
        job = planned.job
        host: dict[str, Seen] = {}
        steps: dict[str, str] = {}
        for item in job.inputs:
            if isinstance(item.source, HostData):
                path = Path(item.source.path)
                host[item.name] = self._digests.tree(path) if path.is_dir() else self._digests.file(path)
            elif isinstance(item.source, StepData):
                steps[item.name] = self._sources.origin(item.source)["digest"]
                if not steps[item.name]:
                    raise Unknown(f"the digest of input '{item.name}' is not recorded")
        return Contents(host, steps, self._code(job), self._packages(job, image))

    def again(self, planned: PlannedStep, image: Image, before: Contents, layout: StepLayout) -> Contents:
        """What the step has read, now that it has ended: `before`, completed. Raises Unknown where that is no longer
        what it was, OSError, Stopped."""
        after = self.look(planned, image)
        for name, seen in before.host.items():
            if after.host[name] != seen:
                raise Unknown(f"input '{name}' changed on the host while the step ran")
        self._check_code(planned.job, before, after, layout)
        if before.packages is not None and after.packages != before.packages:
            raise Unknown(f"what {REQUIREMENTS} gave was collected anew while the step ran")
        return replace(before, packages=after.packages)

    def _check_code(self, job: ContainerJob, before: Contents, after: Contents, layout: StepLayout) -> None:
        """The copy is what ran; it must be what was hashed. An archive is compared as such."""
        path = code_path(job)
        if path is None or before.code is None:
            return
        same = after.code == before.code if is_archive(path.name) else copied_code(job, layout) == before.code.digest
        if not same:
            raise Unknown("its code changed after the cache was asked for it")

    def _code(self, job: ContainerJob) -> Seen | None:
        path = code_path(job)
        if path is None:
            return None
        if isinstance(job.sent_code, CodeFile) or is_archive(path.name):
            return self._digests.script(path)
        return self._digests.code(path, self._sources.run.runs_dir)

    def _packages(self, job: ContainerJob, image: Image) -> str | None:
        """Digest of the exact `requirements.txt`; None where there is none, or before it was resolved."""
        path = code_path(job)
        if job.requirements is None or path is None:
            return None
        if is_archive(path.name):
            if REQUIREMENTS in archived(path):
                raise Unknown(f"the {REQUIREMENTS} lies in an archive")
            return None
        if not needs_packages(job):
            return None
        wanted = Installation.of(job, image, path, self._sources.run.run_id)
        found = self._engine.collected(wanted)
        return hashlib.sha256((found / REQUIREMENTS).read_bytes()).hexdigest() if found is not None else None


def copied_code(job: ContainerJob, layout: StepLayout) -> str | None:
    """The digest of the copy in the step's directory; None without code, and for an archive, whose copy is unpacked.
    Raises OSError."""
    path = code_path(job)
    if path is None or is_archive(path.name):
        return None
    digests = Digests(None, _ignore)
    if isinstance(job.sent_code, CodeFile):
        return digests.script(layout.code / path.name).digest
    return digests.code(layout.code).digest


def needs_packages(job: ContainerJob) -> bool:
    """Whether the step's source directory has a `requirements.txt` that is installed."""
    path = code_path(job)
    return job.requirements is not None and path is not None and (path / REQUIREMENTS).is_file()


def code_path(job: ContainerJob) -> Path | None:
    """The host path of the step's code."""
    source = job.sent_code
    return Path(source.path) if source is not None else None


def _ignore(_: str) -> None:
    """Nothing is remembered here, so nothing is to be told."""
