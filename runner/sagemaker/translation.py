"""A step of a pipeline -> the containers that SageMaker would start for it, as one value."""

from __future__ import annotations

import dataclasses

from runner.sagemaker import processing, training, transform
from runner.sagemaker.job import ContainerJob, Member
from runner.sagemaker.request import Request
from runner.spec.fields import StepType
from runner.spec.models import Pipeline


def translate(pipeline: Pipeline, step: str) -> ContainerJob:
    """The job of one step of a checked pipeline: pure, no I/O, and the same spec in the same place gives the same job.

    What SageMaker would refuse was refused when the file was loaded (`runner.spec.rules` and `mounts`, which know the
    lines). Raises KeyError when the pipeline has no such step, and SpecError without a line for what no single check
    of the spec sees: no image, or an input that takes the name of the code.
    """
    request = Request(pipeline, step)
    job = _TYPES[request.spec.type](request)
    if job.instance_count == 1:
        return job
    jobs = [_TYPES[request.spec.type](Request(pipeline, step, host)) for host in request.hosts]
    return dataclasses.replace(job, members=tuple(Member(each.hostname, each.env, each.config) for each in jobs))


_TYPES = {StepType.PROCESSING: processing.job, StepType.TRAINING: training.job, StepType.TRANSFORM: transform.job}
