"""What a step asks of SageMaker, before anything depends on its type."""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import InternalError, Problem, SpecError
from runner.sagemaker import identity
from runner.sagemaker.code import BUNDLE, RUNPROC, runproc
from runner.sagemaker.job import (
    CodeBundle,
    CodeFile,
    CodeText,
    CodeTree,
    HostData,
    InputMount,
    Limits,
    Source,
    StepData,
)
from runner.spec import instances
from runner.spec.fields import Distribution
from runner.spec.links import split_from
from runner.spec.models import InputSpec, Pipeline, StepSpec
from runner.spec.mounts import ENTRYPOINT, input_path
from runner.spec.units import size

CODE = "code"
"""Name of the input that holds the script, as ScriptProcessor calls it."""
STARTER = "entrypoint"
"""Name of the input that holds `runproc.sh`, as FrameworkProcessor calls it."""


@dataclass(frozen=True)
class Request:
    pipeline: Pipeline
    step: str
    host: str = identity.HOST
    """The instance that the job is for."""

    @property
    def spec(self) -> StepSpec:
        return self.pipeline.spec.steps[self.step]

    @property
    def hosts(self) -> tuple[str, ...]:
        return identity.hosts(self.spec.instance_count)

    @property
    def job_name(self) -> str:
        return identity.job_name(self.pipeline.spec.name, self.step)

    @property
    def uri(self) -> str:
        """The image as the user named it. Raises SpecError when nothing names one."""
        uri = self.spec.image or self.pipeline.spec.image
        if uri is None:
            remedy = "Add `image: python` to the step or at the top of the file."
            raise self.refusal("image", "no image: neither the step nor the pipeline names one", remedy)
        return uri

    @property
    def image(self) -> str:
        """The image after the `images:` mapping."""
        return self.pipeline.spec.images.get(self.uri, self.uri)

    @property
    def env(self) -> dict[str, str]:
        """The request's `Environment`: the pipeline's, overlaid by the step's."""
        return {**self.pipeline.spec.env, **self.spec.env}

    @property
    def program(self) -> str | None:
        """The script's path below the code directory (its name, or its place in `source_dir`), or the module's name."""
        if self.spec.module is not None:
            return self.spec.module
        script = self.pipeline.script(self.spec)
        if script is None:
            return None
        if self.spec.source_dir is None:
            return script.name
        return script.relative_to(self.pipeline.host(self.spec.source_dir)).as_posix()

    @property
    def program_words(self) -> tuple[str, ...]:
        """What follows the interpreter to start the program."""
        program = self.program
        if program is None:
            return ()
        return (program,) if self.spec.module is None else ("-m", program)

    @property
    def instance_type(self) -> str:
        """What the config files name: the step's, or the one that SageMaker's examples have."""
        return self.spec.instance_type or identity.INSTANCE_TYPE

    def limits(self) -> Limits:
        """The instance's CPUs and memory, each overruled by `resources`."""
        wanted, instance = self.spec.resources, instances.find(self.spec.instance_type)
        of_instance = [name for name in ("cpus", "memory") if instance and getattr(wanted, name) is None]
        cpus, memory = (float(instance.cpus), instance.memory) if instance else (None, None)
        return Limits(
            cpus=cpus if wanted.cpus is None else wanted.cpus,
            memory=memory if wanted.memory is None else size(wanted.memory),
            shm_size=None if wanted.shm_size is None else size(wanted.shm_size),
            pids=wanted.pids,
            timeout=self.spec.timeout,
            grace=self.spec.stop_grace,
            of_instance=tuple(of_instance),
        )

    def inputs(self, code_target: str) -> tuple[InputMount, ...]:
        """The step's inputs in file order, then its code. Raises SpecError when an input takes the code's name."""
        taken = {CODE: "the input that holds the script", STARTER: "the input that holds runproc.sh"}
        mounts = [
            InputMount(
                name,
                input_path(self.spec, name),
                self._source(wanted),
                private=wanted.private.value,
                sharded=_is_sharded(wanted),
            )
            for name, wanted in self.spec.inputs.items()
        ]
        code = self._code()
        own = [] if code is None else [InputMount(CODE, code_target, code)]
        if self.spec.is_framework:
            own.append(InputMount(STARTER, ENTRYPOINT, CodeText(RUNPROC, runproc(self.program_words))))
        for mount in own:
            if mount.name in self.spec.inputs:
                message = f"'{mount.name}' is what SageMaker's SDK calls {taken[mount.name]}"
                raise self.refusal(f"inputs.{mount.name}", message, "Give the input another name.")
        return (*mounts, *own)

    def input_uri(self, name: str) -> str:
        """Where an input would come from; a producer's output has the same URI on both ends of the edge."""
        wanted = self.spec.inputs.get(name)
        if wanted is not None and wanted.from_ is not None:
            producer, output = split_from(wanted.from_)
            return self._uri(producer, "output", output)
        if wanted is None and self.spec.is_framework:
            return self._uri(self.step, "source", BUNDLE if name == CODE else RUNPROC)
        script = self.program if wanted is None and self.spec.source_dir is None else None  # one object, not a prefix
        return self._uri(self.step, "input", name, *([script] if script else []))

    def output_uri(self, name: str) -> str:
        return self._uri(self.step, "output", name)

    def source_uri(self) -> str:
        """Where the SDK would have put the archive of a training script's code."""
        return self._uri(self.step, "source", BUNDLE)

    def checkpoints_uri(self) -> str:
        return self._uri(self.step, "checkpoints")

    def refusal(self, path: str, message: str, remedy: str) -> SpecError:
        """An error about this step; a request does not know the lines of its file."""
        return SpecError([Problem(str(self.pipeline.file), 0, 0, f"steps.{self.step}.{path}", message)], remedy=remedy)

    def _uri(self, *parts: str) -> str:
        return identity.s3_uri(self.pipeline.spec.name, *parts)

    def _source(self, wanted: InputSpec) -> Source:
        if wanted.from_ is not None:
            return StepData(*split_from(wanted.from_))
        if wanted.source is None:
            raise InternalError(f"an input of step {self.step!r} has neither `source` nor `from`, and was let through")
        return HostData(str(self.pipeline.host(wanted.source)))

    def _code(self) -> Source | None:
        """The whole source directory, or the script alone; None when the image brings its own program."""
        if self.spec.source_dir is not None:
            source = str(self.pipeline.host(self.spec.source_dir))
            return CodeBundle(source) if self.spec.is_framework else CodeTree(source)
        script = self.pipeline.script(self.spec)
        return None if script is None else CodeFile(str(script))


def _is_sharded(wanted: InputSpec) -> bool:
    return wanted.distribution is Distribution.SHARDED_BY_S3_KEY
