"""A training step as SageMaker runs it. Source: the developer guide's "How SageMaker runs your training image" pages;
for scripts, the training toolkit that framework images carry (see `environment`).

With a script the command is what the toolkit would start in the end, without the toolkit: `requirements.txt` is not
installed here, and the image needs nothing but Python. Without one the image's own program gets `train`, as on
SageMaker, and the toolkit in the image, if any, does the rest.
"""

from __future__ import annotations

import json

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
        ),
        exit_message=paths.FAILURE,
        limits=request.limits(),
        network=spec.network.value,
        hostname=identity.HOST,
        instance_type=spec.instance_type,
        credentials=spec.credentials.value,
    )


def _command(request: Request, mode: ScriptMode | None) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    spec = request.spec
    if mode is not None:
        return ("python3", mode.program), mode.arguments() or None
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
    }


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
    channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    return {name: dict(channel) for name in request.spec.inputs}


def _resource_config(request: Request) -> dict[str, object]:
    group = {"instance_group_name": _GROUP, "instance_type": request.instance_type, "hosts": [identity.HOST]}
    return {
        "current_host": identity.HOST,
        "current_instance_type": request.instance_type,
        "current_group_name": _GROUP,
        "hosts": [identity.HOST],
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }
