"""A transform step as a job: the server's command and environment, and how its data is cut."""

from __future__ import annotations

from collections.abc import Callable

from runner.sagemaker.job import ContainerJob, HostData, InputMount, OutputMount, StepData, Transform

Make = Callable[..., ContainerJob]
STEP = {"type": "transform", "image": "serving", "inputs": {"data": "rows"}}


def test_nothing_but_data(job_of: Make) -> None:
    job = job_of(STEP)
    assert (job.image, job.entrypoint, job.arguments) == ("serving", None, ("serve",))
    assert job.env == (("SAGEMAKER_BATCH", "true"),)
    assert job.inputs == (InputMount("data", "/transform/data", HostData("/project/rows")),)
    assert job.outputs == (OutputMount("output", "/transform/output"),)
    assert (job.config, job.exit_message, job.network) == ((), None, "none")
    assert job.limits.grace == 30.0
    assert job.transform == Transform(
        strategy="MultiRecord",
        split="None",
        assemble="None",
        content_type=None,
        accept=None,
        max_payload=6,
        max_concurrent=1,
        max_retries=3,
        invocation_timeout=600.0,
        ping_timeout=240.0,
        open=("max_payload", "strategy", "max_concurrent"),
    )


def test_what_the_request_names_is_in_the_environment_and_is_not_left_open(job_of: Make) -> None:
    wanted = {"strategy": "SingleRecord", "max_payload": 2, "max_concurrent": 3}
    job = job_of({**STEP, "transform": wanted, "env": {"A": "$b"}, "stop_grace": 5}, env={"C": "d"})
    assert dict(job.env) == {
        "C": "d",
        "A": "$b",
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "2",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
    }
    assert job.transform is not None
    assert job.transform.open == ()
    assert job.limits.grace == 5.0


def test_the_model_is_where_it_is_unpacked(job_of: Make) -> None:
    inputs = {"model": {"from": "Train.model"}, "data": {"source": "rows", "content_type": "text/csv"}}
    job = job_of({**STEP, "inputs": inputs, "outputs": {"output": {"allow_empty": True}}})
    assert job.inputs[0] == InputMount("model", "/opt/ml/model", StepData("Train", "model"))
    assert job.transform is not None
    assert job.transform.content_type == "text/csv"
    assert job.outputs[0].allow_empty
    assert hash(job)
