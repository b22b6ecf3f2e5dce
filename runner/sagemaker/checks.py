"""What SageMaker would refuse before it starts a container, where the runner could do something else by mistake.

The API's limits (counts, lengths, patterns) will stand here too, as further functions in the two tuples at the end.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from runner.errors import Problem
from runner.sagemaker import paths
from runner.sagemaker.request import Request
from runner.sagemaker.training import ARCHIVES


def problems(request: Request) -> list[Problem]:
    """Faults of one step's request, in the order of the file. Lines are 0: the request does not know them."""
    checks = _TRAINING if request.training else _PROCESSING
    return [problem for check in checks for problem in check(request)]


def _script_lies_in_source_dir(request: Request) -> Iterator[Problem]:
    script = request.spec.script
    if script is None or request.spec.source_dir is None:
        return
    if posixpath.isabs(script) or posixpath.normpath(script).split("/")[0] == "..":
        yield request.problem("script", f"'{script}' lies outside source_dir '{request.spec.source_dir}'")


def _local_paths(request: Request) -> Iterator[Problem]:
    code = [("code", paths.PROCESSING_CODE)] if request.code(paths.PROCESSING_CODE) else []
    inputs = [(name, wanted.path or f"{paths.PROCESSING_INPUT}/{name}") for name, wanted in request.spec.inputs.items()]
    outputs = [
        (name, wanted.path or f"{paths.PROCESSING_OUTPUT}/{name}") for name, wanted in request.spec.outputs.items()
    ]
    seen = {posixpath.normpath(target): f"the step's {name}" for name, target in code}
    for kind, mounts in (("input", inputs), ("output", outputs)):
        for name, target in mounts:
            plain = posixpath.normpath(target)
            if not plain.startswith(f"{paths.PROCESSING}/"):
                message = f"'{target}' is not below {paths.PROCESSING}/, as SageMaker wants of a processing job"
                yield request.problem(f"{kind}s.{name}", message)
            elif plain in seen:
                yield request.problem(f"{kind}s.{name}", f"'{target}' is taken already, by {seen[plain]}")
            seen.setdefault(plain, f"{kind} '{name}'")


def _code_name(request: Request) -> Iterator[Problem]:
    if "code" in request.spec.inputs and request.code(paths.PROCESSING_CODE):
        yield request.problem("inputs.code", "'code' is the name of the input that holds the script; choose another")


def _no_hyperparameters(request: Request) -> Iterator[Problem]:
    if request.spec.hyperparameters:
        yield request.problem("hyperparameters", "a processing job has none; use `args`, or `type: training`")


def _channels(request: Request) -> Iterator[Problem]:
    for name, wanted in request.spec.inputs.items():
        target = f"{paths.CHANNELS}/{name}"
        if wanted.path is not None and posixpath.normpath(wanted.path) != target:
            message = f"'{wanted.path}' cannot be chosen: the channel of a training job lies at {target}"
            yield request.problem(f"inputs.{name}.path", message)
    if "code" in request.spec.inputs and request.code(paths.TRAINING_CODE):
        yield request.problem("inputs.code", "'code' is the name of the input that holds the script; choose another")


def _artifacts(request: Request) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for name, wanted in request.spec.outputs.items():
        target = wanted.path or ARCHIVES.get(name, ("", ""))[0]
        if target not in (directory for directory, _ in ARCHIVES.values()):
            message = (
                f"a training job has two outputs, 'model' ({paths.MODEL}) and 'output' ({paths.OUTPUT_DATA}); "
                f"'{wanted.path or name}' is neither"
            )
            yield request.problem(f"outputs.{name}", message)
        elif target in taken:
            yield request.problem(f"outputs.{name}", f"'{target}' is taken already, by output '{taken[target]}'")
        elif name in ARCHIVES and ARCHIVES[name][0] != target:
            yield request.problem(f"outputs.{name}", f"'{name}' is the name of {ARCHIVES[name][0]}, not of '{target}'")
        taken.setdefault(target, name)


def _no_arguments_in_script_mode(request: Request) -> Iterator[Problem]:
    if request.spec.args and request.spec.script is not None and not request.spec.entrypoint:
        yield request.problem("args", "a training script takes its arguments from `hyperparameters`, not from `args`")


_PROCESSING = (_script_lies_in_source_dir, _no_hyperparameters, _code_name, _local_paths)
_TRAINING = (_script_lies_in_source_dir, _no_arguments_in_script_mode, _channels, _artifacts)
