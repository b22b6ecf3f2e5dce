"""A transform step as SageMaker runs it. Source: the developer guide's "Custom inference code with batch transform" and
the API reference of CreateTransformJob.

The job's container serves: the image's own program gets `serve`. The input `data` and the output are not the server's:
a client posts the one and writes the other.
"""

from __future__ import annotations

from dataclasses import replace

from runner.sagemaker import identity
from runner.sagemaker.job import ContainerJob, Limits, OutputMount, Transform
from runner.sagemaker.request import Request
from runner.spec.models import Transform as Wanted
from runner.spec.mounts import MODEL, output_path

STOP_GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL that a server has."""
_VARIABLES = {
    "max_payload": "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    "strategy": "SAGEMAKER_BATCH_STRATEGY",
    "max_concurrent": "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
}
"""Each is set if the request names it, and only then: the developer guide says so."""
_STRATEGIES = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
"""The API's words, and what the developer guide says that the container finds."""


def job(request: Request) -> ContainerJob:
    spec = request.spec
    wanted = spec.transform or Wanted()
    allow_empty = any(output.allow_empty for output in spec.outputs.values())
    return ContainerJob(
        step=request.step,
        step_type=spec.type.value,
        image=request.image,
        arguments=("serve",),
        env=tuple({**request.env, **_variables(wanted)}.items()),
        inputs=request.inputs(MODEL),
        outputs=tuple(
            OutputMount(name, output_path(spec, name), allow_empty=allow_empty) for name in spec.output_names
        ),
        limits=_limits(request),
        network=spec.network.value,
        hostname=identity.HOST,
        instance_type=spec.instance_type,
        credentials=spec.credentials.value,
        transform=_transform(request, wanted),
    )


def _transform(request: Request, wanted: Wanted) -> Transform:
    return Transform(
        strategy=wanted.strategy.value,
        split=wanted.split.value,
        assemble=wanted.assemble.value,
        content_type=request.spec.inputs["data"].content_type,
        accept=wanted.accept,
        max_payload=wanted.max_payload,
        max_concurrent=wanted.max_concurrent,
        max_retries=wanted.max_retries,
        invocation_timeout=wanted.invocation_timeout,
        ping_timeout=wanted.ping_timeout,
        open=tuple(name for name in _VARIABLES if name not in wanted.model_fields_set),
    )


def _variables(wanted: Wanted) -> dict[str, str]:
    values = {
        "max_payload": str(wanted.max_payload),
        "strategy": _STRATEGIES[wanted.strategy.value],
        "max_concurrent": str(wanted.max_concurrent),
    }
    named = {variable: values[name] for name, variable in _VARIABLES.items() if name in wanted.model_fields_set}
    return {"SAGEMAKER_BATCH": "true", **named}


def _limits(request: Request) -> Limits:
    limits = request.limits()
    return limits if "stop_grace" in request.spec.model_fields_set else replace(limits, grace=STOP_GRACE)
