"""A training step as SageMaker runs it. Source: the developer guide's "How SageMaker runs your training image" pages;
for scripts, the training toolkit that framework images carry (see `environment`).

With a script the command is what the toolkit would start in the end, without the toolkit: the image needs nothing but
Python. `requirements.txt` is installed before (see `code.installing`). Without one the image's own program gets
`train`, as on SageMaker, and the toolkit in the image, if any, does the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from runner.sagemaker import identity, paths
from runner.sagemaker.environment import PREFIX, ScriptMode, platform_hyperparameters
from runner.sagemaker.job import ConfigFile, ContainerJob, OutputMount
from runner.sagemaker.request import Request
from runner.spec.mounts import output_path

_GROUP = "homogeneousCluster"
"""The one instance group of a job that declares none."""


def job(request: Request) -> ContainerJob:
    spec = request.spec
    mode = _script_mode(request)
    entrypoint, arguments = _command(request, mode)
    return ContainerJob(
        step=request.step,
        step_type=spec.type.value,
        image=request.image,
        entrypoint=entrypoint,
        arguments=arguments,
        env=tuple(_env(request, mode).items()),
        working_dir=paths.TRAINING_CODE if mode else None,
        inputs=request.inputs(paths.TRAINING_CODE),
        outputs=_outputs(request),
        config=(
            _file("hyperparameters.json", mode.hyperparameters if mode else spec.hyperparameters),
            _file("inputdataconfig.json", _input_data_config(request)),
            _file("resourceconfig.json", _resource_config(request)),
            *_checkpoint_config(request),
        ),
        exit_message=paths.FAILURE,
        limits=request.limits(),
        network=spec.network.value,
        hostname=request.host,
        instance_type=spec.instance_type,
        instance_count=spec.instance_count,
        credentials=spec.credentials.value,
        preimport=spec.preimport,
        checkpoints=None if spec.checkpoints is None else str(request.pipeline.host(spec.checkpoints)),
        requirements="python3" if mode and spec.source_dir is not None else None,
    )


def _command(request: Request, mode: ScriptMode | None) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    spec = request.spec
    if mode is not None:
        return ("python3", *request.program_words), mode.arguments() or None
    if spec.entrypoint:
        return spec.entrypoint, spec.args or None
    return None, spec.args or ("train",)


def _script_mode(request: Request) -> ScriptMode | None:
    """None: the image's own program, or an explicit entrypoint, runs."""
    program = request.program
    if program is None or request.spec.entrypoint:
        return None
    cpus = request.limits().cpus
    return ScriptMode(
        hyperparameters=_hyperparameters(request, program),
        inputs=_input_data_config(request),
        resources=_resource_config(request),
        program=program,
        job_name=request.job_name,
        # The toolkit counts the machine's. The same spec must give the same job on every machine, so: the whole CPUs
        # that the step declares, by `resources` or by its instance type, and 1 when it declares none or less.
        cpus=max(1, int(cpus or 1)),
        framework_module=request.env.get("SAGEMAKER_TRAINING_MODULE"),
    )


def _hyperparameters(request: Request, program: str) -> dict[str, str]:
    # On SageMaker, too, SM_MODULE_DIR is where the code came from, not where it lies.
    return {
        f"{PREFIX}container_log_level": "20",
        **request.spec.hyperparameters,
        **platform_hyperparameters(program, request.job_name, request.source_uri()),
    }


def _env(request: Request, mode: ScriptMode | None) -> dict[str, str]:
    """The request's first; the platform and then the toolkit write theirs over it."""
    return {
        **request.env,
        "TRAINING_JOB_NAME": request.job_name,
        "TRAINING_JOB_ARN": identity.arn("training-job", request.job_name),
        **(mode.variables() if mode else {}),
        **({"PYTHONPATH": _search_path(request)} if mode else {}),
    }


def _search_path(request: Request) -> str:
    """The code directory and then what the request says: a script in a sub-directory imports from both, and so does
    every Python that it starts. The toolkit goes on with its interpreter's own search path, which adds nothing."""
    return ":".join(filter(None, (paths.TRAINING_CODE, request.env.get("PYTHONPATH"))))


def _outputs(request: Request) -> tuple[OutputMount, ...]:
    """Always both. A model is expected, other artifacts are not; a step may allow an empty model."""
    declared = request.spec.outputs
    allowed = {"output", *(name for name, wanted in declared.items() if wanted.allow_empty)}
    return tuple(
        OutputMount(name, output_path(request.spec, name), allow_empty=name in allowed, archive=f"{name}.tar.gz")
        for name in request.spec.output_names
    )


def _file(name: str, content: object) -> ConfigFile:
    return ConfigFile(f"{paths.TRAINING_CONFIG}/{name}", json.dumps(content, indent=2))


def _input_data_config(request: Request) -> dict[str, dict[str, str]]:
    """A channel without a content type has no such key, as in a request that names none."""
    return {
        name: {
            **({} if channel.content_type is None else {"ContentType": channel.content_type}),
            "TrainingInputMode": "File",
            "S3DistributionType": channel.distribution.value,
            "RecordWrapperType": "None",
        }
        for name, channel in request.spec.inputs.items()
    }


def _checkpoint_config(request: Request) -> Iterator[ConfigFile]:
    """The request's CheckpointConfig: SageMaker's XGBoost container, for one, looks for its checkpoints by it."""
    if request.spec.checkpoints is not None:
        content = {"S3Uri": request.checkpoints_uri(), "LocalPath": paths.CHECKPOINTS}
        yield _file("checkpointconfig.json", content)


def _resource_config(request: Request) -> dict[str, object]:
    hosts = list(request.hosts)
    group = {"instance_group_name": _GROUP, "instance_type": request.instance_type, "hosts": hosts}
    return {
        "current_host": request.host,
        "current_instance_type": request.instance_type,
        "current_group_name": _GROUP,
        "hosts": hosts,
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }
