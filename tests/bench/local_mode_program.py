"""Runs a work load with SageMaker's local mode; needs its package and nothing of this benchmark.

`local_mode_program.py LOAD_JSON` prints one JSON document as its last line. Places are passed as pipeline parameters:
local mode reads and writes `file://` places that come so, and uploads all others to S3.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from sagemaker.processing import ProcessingInput, ProcessingOutput, Processor
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import LocalPipelineSession
from sagemaker.workflow.steps import ProcessingStep

CODE, INPUT = "/opt/ml/processing/input/code", "/opt/ml/processing/input/data"
OUTPUT = "/opt/ml/processing/output/out"
ROLE = "arn:aws:iam::111122223333:role/none"


class Places:
    """Pipeline parameters that hold a directory each."""

    def __init__(self) -> None:
        self.parameters: list[ParameterString] = []

    def __call__(self, name: str, path: str) -> ParameterString:
        self.parameters.append(ParameterString(name=name, default_value=f"file://{path}"))
        return self.parameters[-1]


def session(root: str) -> LocalPipelineSession:
    made = LocalPipelineSession(boto_session=boto3.Session())
    made._default_bucket = "none"  # or it asks S3 whether its bucket is there, though nothing goes to it
    made.config = {"local": {"local_code": True, "container_root": f"{root}/containers"}}
    return made


def pipeline(load: dict[str, Any]) -> Pipeline:
    root, shared, chosen = load["root"], load["shared"], session(load["root"])
    place = Places()
    code, raw = place("code", f"{shared}/code"), place("raw", f"{shared}/raw")
    steps: dict[str, ProcessingStep] = {}
    for node in load["nodes"]:
        source: Any = raw
        if node["source"]:
            before = steps[node["source"]].properties
            source = before.ProcessingOutputConfig.Outputs["out"].S3Output.S3Uri
        processor = Processor(
            role=ROLE,
            image_uri=load["image"],
            instance_count=1,
            instance_type="local",
            entrypoint=["python3", f"{CODE}/{node['script']}"],
            sagemaker_session=chosen,
        )
        target = place(f"out-{node['name']}", f"{root}/out/{node['name']}")
        arguments = processor.run(
            inputs=[
                ProcessingInput(source=code, destination=CODE, input_name="code"),
                ProcessingInput(source=source, destination=INPUT, input_name="data"),
            ],
            outputs=[ProcessingOutput(source=OUTPUT, destination=target, output_name="out")],
            arguments=[INPUT, OUTPUT, node["name"]],
        )
        steps[node["name"]] = ProcessingStep(name=node["name"], step_args=arguments)
    return Pipeline(name="bench", parameters=place.parameters, steps=list(steps.values()), sagemaker_session=chosen)


def main() -> None:
    made = pipeline(json.loads(Path(sys.argv[1]).read_text()))
    made.create(role_arn=ROLE)
    began = time.perf_counter()
    ended = made.start().describe()
    took = time.perf_counter() - began
    status, reason = ended["PipelineExecutionStatus"], ended.get("FailureReason")
    print(json.dumps({"status": status, "reason": reason, "execution": took}))


if __name__ == "__main__":
    main()
