"""A processing step as SageMaker runs it. Source: the developer guide's "Build your own processing container" pages
and the SDK's `processing.py`.

A script is what ScriptProcessor sends: the input `code` and an entrypoint that names it. A `source_dir` is what
FrameworkProcessor sends: `sourcedir.tar.gz` in the code directory, and a `runproc.sh` that unpacks it there, installs
its `requirements.txt` and starts the script (see `code`). With an entrypoint of the step's own, which no framework
processor has, the contents of `source_dir` lie in the code directory, which is the working directory.
"""

from __future__ import annotations

import json
import math

from runner.sagemaker import identity, paths
from runner.sagemaker.code import FRAMEWORK_COMMAND
from runner.sagemaker.job import ConfigFile, ContainerJob, InputMount, OutputMount
from runner.sagemaker.request import Request
from runner.spec.fields import Distribution
from runner.spec.mounts import CODE, output_path

_MAX_RUNTIME = 86400
"""Seconds: what SageMaker takes when a request names no StoppingCondition."""


def job(request: Request) -> ContainerJob:
    spec = request.spec
    entrypoint = spec.entrypoint or None
    if spec.is_framework:
        entrypoint = FRAMEWORK_COMMAND
    elif entrypoint is None and request.program is not None:
        entrypoint = ("python3", f"{CODE}/{request.program}")
    arguments = spec.args or None  # an empty list is not a request: Docker, too, takes the image's CMD then
    inputs = request.inputs(CODE)
    outputs = tuple(
        OutputMount(name, output_path(spec, name), allow_empty=wanted.allow_empty)
        for name, wanted in spec.outputs.items()
    )
    return ContainerJob(
        step=request.step,
        step_type=spec.type.value,
        image=request.image,
        entrypoint=entrypoint,
        arguments=arguments,
        env=tuple(request.env.items()),
        working_dir=CODE if spec.source_dir is not None and not spec.is_framework else None,
        inputs=inputs,
        outputs=outputs,
        config=(
            _file("processingjobconfig.json", _job_config(request, entrypoint, arguments, inputs, outputs)),
            _file("resourceconfig.json", {"current_host": request.host, "hosts": list(request.hosts)}),
        ),
        exit_message=paths.MESSAGE,
        limits=request.limits(),
        network=spec.network.value,
        hostname=request.host,
        instance_type=spec.instance_type,
        instance_count=spec.instance_count,
        credentials=spec.credentials.value,
        preimport=spec.preimport,
        requirements="python" if spec.is_framework else None,
    )


def _file(name: str, content: object) -> ConfigFile:
    return ConfigFile(f"{paths.CONFIG}/{name}", json.dumps(content, indent=2))


def _job_config(
    request: Request,
    entrypoint: tuple[str, ...] | None,
    arguments: tuple[str, ...] | None,
    inputs: tuple[InputMount, ...],
    outputs: tuple[OutputMount, ...],
) -> dict[str, object]:
    timeout = request.spec.timeout
    return {
        "ProcessingJobArn": identity.arn("processing-job", request.job_name),
        "ProcessingJobName": request.job_name,
        "AppSpecification": {
            "ImageUri": request.uri,
            "ContainerEntrypoint": list(entrypoint) if entrypoint else None,
            "ContainerArguments": list(arguments) if arguments else None,
        },
        "Environment": request.env,
        "ProcessingInputs": [_input(request, mount) for mount in inputs],
        "ProcessingOutputConfig": {"Outputs": [_output(request, mount) for mount in outputs], "KmsKeyId": None},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": request.spec.instance_count,
                "InstanceType": request.instance_type,
                "VolumeSizeInGB": 30,
                "VolumeKmsKeyId": None,
            }
        },
        "RoleArn": identity.ROLE_ARN,
        "StoppingCondition": {"MaxRuntimeInSeconds": _MAX_RUNTIME if timeout is None else max(1, math.ceil(timeout))},
    }


def _input(request: Request, mount: InputMount) -> dict[str, object]:
    return {
        "InputName": mount.name,
        "S3Input": {
            "LocalPath": mount.target,
            "S3Uri": request.input_uri(mount.name),
            "S3DataDistributionType": _distribution(mount),
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3CompressionType": "None",
            "S3DownloadMode": "StartOfJob",
        },
    }


def _distribution(mount: InputMount) -> str:
    return (Distribution.SHARDED_BY_S3_KEY if mount.sharded else Distribution.FULLY_REPLICATED).value


def _output(request: Request, mount: OutputMount) -> dict[str, object]:
    return {
        "OutputName": mount.name,
        "S3Output": {"LocalPath": mount.target, "S3Uri": request.output_uri(mount.name), "S3UploadMode": "EndOfJob"},
    }
