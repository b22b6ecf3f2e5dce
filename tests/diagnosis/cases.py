"""The step of the recorded scripts, and its failures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diagnosis.scripts import DATA, IN, OUT, SCRIPTS

from runner.data.diagnosis import Failure
from runner.data.tables import Column, Family, FileSchema, Format
from runner.engine.base import Verdict
from runner.sagemaker.job import CodeFile, ContainerJob, InputMount, OutputMount, StepData

RECORDED = Path(__file__).parent / "recorded"
CODE = "/opt/ml/processing/input/code"


def job(script: str = "/nowhere/consume.py", **fields: Any) -> ContainerJob:
    given: dict[str, Any] = {
        "step": "Consume",
        "step_type": "processing",
        "image": "python",
        "inputs": (InputMount("code", CODE, CodeFile(script)), InputMount("DATA", IN, StepData("prep", "out"))),
        "outputs": (OutputMount("out", OUT),),
    }
    return ContainerJob(**{**given, **fields})


def table(path: str, *names: str, **fields: Any) -> FileSchema:
    columns = tuple(Column(name=name, family=Family.STRING) for name in names)
    given = {"path": path, "size": 1, "format": Format.CSV, "encoding": "utf-8", "header": True, "columns": columns}
    return FileSchema(**{**given, **fields})


TABLES = (table("train.csv", "id", "labels", "amount", "city"),)


def data_files(name: str) -> Sequence[str]:
    return (*DATA, "sub/") if name == "DATA" else ("consume.py",)


def failure(name: str, tmp_path: Path | None = None, **fields: Any) -> Failure:
    """What is known of the recorded end of a script; with `tmp_path` its file lies there."""
    code, _, log = (RECORDED / f"{name}.txt").read_bytes().partition(b"\n")
    script = SCRIPTS[name]
    path = "/nowhere/consume.py"
    if tmp_path is not None:
        (tmp_path / "consume.py").write_text(script.text)
        path = str(tmp_path / "consume.py")
    given: dict[str, Any] = {
        "job": job(path, image=script.image, env=tuple(script.env.items()), arguments=script.args or None),
        "verdict": Verdict.EXIT,
        "exit_code": int(code),
        "reason": f"exit {int(code)}",
        "log": log,
        "files": data_files,
        "schemas": lambda name: TABLES if name == "DATA" else (),
    }
    return Failure(**{**given, **fields})
