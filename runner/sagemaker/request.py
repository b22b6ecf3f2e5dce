"""What a step asks of SageMaker, before anything depends on its type."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import InternalError, Problem, SpecError
from runner.sagemaker import identity
from runner.sagemaker.job import CodeFile, CodeTree, HostData, InputMount, Limits, Source, StepData
from runner.spec.units import size

if TYPE_CHECKING:
    from runner.spec.models import InputSpec, Pipeline, StepSpec


@dataclass(frozen=True)
class Request:
    pipeline: str
    step: str
    spec: StepSpec
    file: Path
    """The pipeline file; relative host paths start from its directory."""
    uri: str
    """The image as the user named it."""
    image: str
    """The image after the `images:` mapping."""
    env: dict[str, str]
    """The pipeline's overlaid by the step's: the request's `Environment`."""

    @property
    def job_name(self) -> str:
        return identity.job_name(self.pipeline, self.step)

    def host_path(self, *parts: str) -> str:
        """Absolute; `..` is resolved in the text alone, since a pure function cannot look at links."""
        return os.path.normpath(os.path.join(self.file.parent, *parts))  # noqa: PTH118

    def problem(self, path: str, message: str) -> Problem:
        return Problem(str(self.file), 0, 0, f"steps.{self.step}.{path}", message)

    def limits(self) -> Limits:
        wanted = self.spec.resources
        return Limits(
            cpus=wanted.cpus,
            memory=None if wanted.memory is None else size(wanted.memory),
            shm_size=None if wanted.shm_size is None else size(wanted.shm_size),
            pids=wanted.pids,
            timeout=self.spec.timeout,
            grace=self.spec.stop_grace,
        )

    def source(self, wanted: InputSpec) -> Source:
        if wanted.from_ is not None:
            step, _, output = wanted.from_.rpartition(".")
            return StepData(step, output)
        if wanted.source is None:
            raise InternalError(f"an input of step {self.step!r} has neither `source` nor `from`, and was let through")
        return HostData(self.host_path(wanted.source))

    def s3_source(self, name: str, wanted: InputSpec) -> str:
        """A producer's output has the same URI on both ends of the edge."""
        source = self.source(wanted)
        if isinstance(source, StepData):
            return identity.s3_uri(self.pipeline, source.step, "output", source.output)
        return identity.s3_uri(self.pipeline, self.step, "input", name)

    def s3_output(self, name: str) -> str:
        return identity.s3_uri(self.pipeline, self.step, "output", name)

    def code(self, target: str) -> InputMount | None:
        """The script alone, or the whole source directory; None when the image brings its own code."""
        if self.spec.source_dir is not None:
            return InputMount("code", target, CodeTree(self.host_path(self.spec.source_dir)))
        if self.spec.script is not None:
            return InputMount("code", target, CodeFile(self.host_path(self.spec.script)))
        return None

    @property
    def training(self) -> bool:
        return self.spec.type.value == "training"

    @property
    def program(self) -> str | None:
        """The script's path below the code directory: its name, or the path in `source_dir`."""
        script = self.spec.script
        if script is None:
            return None
        return posixpath.normpath(script) if self.spec.source_dir is not None else posixpath.basename(script)


def request_of(pipeline: Pipeline, step: str) -> Request:
    """Raises KeyError for an unknown step and SpecError when no image is named."""
    spec = pipeline.spec.steps[step]
    uri = spec.image or pipeline.spec.image
    if uri is None:
        message = "no image: neither the step nor the pipeline names one"
        problem = Problem(str(pipeline.file), 0, 0, f"steps.{step}.image", message)
        raise SpecError([problem], remedy="Add `image: python` to the step or at the top of the file.")
    return Request(
        pipeline=pipeline.spec.name,
        step=step,
        spec=spec,
        file=pipeline.file,
        uri=uri,
        image=pipeline.spec.images.get(uri, uri),
        env={**pipeline.spec.env, **spec.env},
    )
