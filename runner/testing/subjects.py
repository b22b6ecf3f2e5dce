"""One node under test: its spec, filled up with what its script and its contract say, without running anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.errors import Problem, SpecError
from runner.spec.contracts import Contracts, FoundContract, TrainingScriptContract, disagreements, read_contracts
from runner.spec.document import absolute, shown
from runner.spec.expects import Expects
from runner.spec.fields import StepType
from runner.spec.names import listed
from runner.spec.resolution import Resolution, resolve
from runner.spec.scripts import ScriptFacts, facts, signature_fault
from runner.testing.faults import Fault
from runner.testing.ports import Port, ports
from runner.testing.specs import ScriptExecutionSpec

_FRAMEWORKS = {"xgboost": "xgboost", "xgboost_cpu": "xgboost"}
"""Package -> image that has it, where the default has not."""
_JOB_TYPE = "job_type"
_TRAINING = ("/opt/ml/input/", "/opt/ml/model", "/opt/ml/output")


@dataclass(frozen=True)
class Subject:
    """What is known of a node before it runs. With a `fault` it is not run."""

    node: str
    spec: ScriptExecutionSpec
    resolution: Resolution
    facts: ScriptFacts | None = None
    contract: FoundContract | None = None
    type: StepType = StepType.PROCESSING
    inputs: dict[str, Port] = field(default_factory=dict)
    """By the spec's logical name."""
    outputs: dict[str, Port] = field(default_factory=dict)
    image: str | None = None
    """None: the default."""
    env: dict[str, str] = field(default_factory=dict)
    expects: dict[str, Expects] = field(default_factory=dict)
    """By the spec's logical name of an input: the spec's own, else the contract's."""
    arguments: dict[str, object] | list[object] = field(default_factory=dict)
    fault: Fault | None = None
    notes: tuple[str, ...] = ()

    @property
    def script(self) -> Path | None:
        return self.resolution.script

    @property
    def has_main(self) -> bool:
        return self.facts is not None and self.facts.has_main

    @property
    def is_called(self) -> bool:
        """Whether `main` is called, since the script does not start it by itself."""
        return self.facts is not None and self.facts.has_main and not self.facts.has_main_block


@dataclass(frozen=True, slots=True)
class Places:
    """Where scripts and contracts are looked for, the first first."""

    scripts: tuple[Path, ...]
    contracts: Contracts


def subject(node: str, spec: ScriptExecutionSpec, places: Places) -> Subject:
    """Never raises for what is wrong with the script or its contract: that is the subject's `fault`."""
    resolution = resolve(
        node,
        places.scripts,
        script_path=Path(spec.script_path).expanduser() if spec.script_path else None,
        script_name=spec.script_name.removesuffix(".py"),
    )
    made = Subject(node, spec, resolution)
    if resolution.script is None:
        remedy = "Give it by 'script_path', or put the file where it is looked for."
        return replace(made, fault=Fault("missing-script", resolution.message, remedy))
    try:
        read = facts(resolution.script)
    except SpecError as error:
        remedy = error.remedy or f"Correct {shown(resolution.script)} there; nothing was run."
        return replace(made, fault=Fault("syntax", error.message, remedy))
    made = replace(made, facts=read)
    try:
        found, notes = _contract_of(made, resolution.script, places)
    except SpecError as error:
        return replace(made, fault=Fault("contract", error.message, error.remedy or "Mend the contract."))
    if found is not None:
        notes += [each.message for each in disagreements(found, read)]
        again = resolve(node, places.scripts, script_path=resolution.script, contract=found.contract)
        made = replace(made, contract=found, resolution=replace(resolution, job_type_flag=again.job_type_flag))
    return _filled(replace(made, notes=tuple(notes)))


def _contract_of(made: Subject, script: Path, places: Places) -> tuple[FoundContract | None, list[str]]:
    """The contract that the spec names, else the one that is found by name; and what to know of it. Raises SpecError
    for a named one that cannot be read, or is of other scripts."""
    named = made.spec.contract
    if named is None:
        found = places.contracts.find(made.spec.script_name, script)
        if found.found is None and made.spec.script_name != made.node:
            found = places.contracts.find(made.node, script)
        return found.found, [found.error_message] if found.error_message and found.discovery_method != "none" else []
    every = read_contracts(Path(named).expanduser())
    fitting = [each for each in every if Path(each.contract.entry_point).name == script.name]
    if len(fitting) != 1:
        points = listed(each.contract.entry_point for each in every)
        message = f"has no contract with the entry point '{script.name}'; it has: {points}"
        if fitting:
            message = f"has several contracts with the entry point '{script.name}'"
        raise SpecError([Problem(shown(Path(named)), 0, 0, "", message)], remedy="Name another 'contract'.")
    return fitting[0], []


def _filled(made: Subject) -> Subject:
    made = replace(made, type=_type(made))
    inputs, outputs, notes, fault = ports(made.spec, made.type, made.facts, made.contract)
    made = replace(
        made,
        inputs=inputs,
        outputs=outputs,
        image=_image(made),
        env=_environment(made),
        expects=_expects(made, inputs),
        arguments=_arguments(made),
        notes=(*made.notes, *notes, *_left_out(made)),
    )
    fault = _program_fault(made) or fault or _output_fault(made) or _environment_fault(made) or _argument_fault(made)
    return replace(made, fault=fault)


def _type(made: Subject) -> StepType:
    """What the spec says; else training, where the contract's paths are those of a training job."""
    if made.contract is None or "type" in made.spec.model_fields_set:
        return made.spec.type
    contract = made.contract.contract
    if isinstance(contract, TrainingScriptContract):
        return StepType.TRAINING
    paths = (*contract.expected_input_paths.values(), *contract.expected_output_paths.values())
    return StepType.TRAINING if any(path.startswith(_TRAINING) for path in paths) else made.spec.type


def _image(made: Subject) -> str | None:
    """The spec's; else the image of this project that has the framework which the contract asks for."""
    if made.spec.image is not None or made.contract is None:
        return made.spec.image
    wanted = [_plain(name).lower() for name in made.contract.contract.framework_requirements]
    return next((image for package, image in _FRAMEWORKS.items() if package in wanted), None)


def _expects(made: Subject, inputs: Mapping[str, Port]) -> dict[str, Expects]:
    promised = made.contract.contract.expects if made.contract else {}
    found = {name: promised[each] for name, port in inputs.items() for each in port.also if each in promised}
    return {**found, **made.spec.expects}


def _environment(made: Subject) -> dict[str, str]:
    """The contract's defaults, under what the spec says."""
    optional = made.contract.contract.optional_env_vars if made.contract else {}
    return {**{name: text for name, text in optional.items() if text is not None}, **made.spec.environ_vars}


def _arguments(made: Subject) -> dict[str, object] | list[object]:
    """The spec's, and under them the job type of the node's name and the contract's defaults."""
    own = made.spec.job_args
    if isinstance(own, list):
        return list(own)
    defaults: dict[str, object] = {}
    for name, default in (made.contract.contract.expected_arguments if made.contract else {}).items():
        if default is not None:
            defaults[name] = default
    if made.resolution.arguments:
        flag, job_type = made.resolution.arguments
        defaults[flag.lstrip("-")] = job_type
    given = {**_without(defaults, own), **own}
    return given if _takes_job_type(made) else {name: value for name, value in given.items() if not _is_job_type(name)}


def _left_out(made: Subject) -> list[str]:
    own = made.spec.job_args
    if isinstance(own, list) or _takes_job_type(made) or not any(map(_is_job_type, own)):
        return []
    return ["job_type is not given: neither the script nor its contract takes it"]


def _is_job_type(name: str) -> bool:
    return _plain(name) == _JOB_TYPE


def _takes_job_type(made: Subject) -> bool:
    """Whether the script, or its contract, asks for the job type; also where its text hides which options it has."""
    if made.is_called or made.facts is None or made.facts.unknown("arguments") or made.facts.option(_JOB_TYPE):
        return True
    return made.contract is not None and any(map(_is_job_type, made.contract.contract.expected_arguments))


def _without(defaults: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """`job-type` and `--job_type` are one name."""
    taken = {_plain(name) for name in own}
    return {name: value for name, value in defaults.items() if _plain(name) not in taken}


def _plain(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _program_fault(made: Subject) -> Fault | None:
    read = made.facts
    if read is None or read.has_main_block:
        return None
    if read.main is None:
        message = f"{shown(read.path)}: neither a function 'main' nor an `if __name__ == '__main__':` block"
        remedy = "Write main(input_paths, output_paths, environ_vars, job_args), or a __main__ block that starts it."
        return Fault("signature", message, remedy)
    if read.main.kind == "async def":
        message = f"{shown(read.path)}:{read.main.line}: main is a coroutine function: a call alone runs nothing of it"
        return Fault("signature", message, "Write `def main(...)`, with asyncio.run inside.")
    if made.spec.entrypoint is not None:
        message = f"{shown(read.path)} has only main(), which is called: the spec's entrypoint would have no effect"
        return Fault("spec", message, "Leave out 'entrypoint', or give the script a __main__ block.")
    fault = signature_fault(read)
    remedy = "Give main the four parameters, or the script a __main__ block of its own."
    return Fault("signature", fault, remedy) if fault else None


def _output_fault(made: Subject) -> Fault | None:
    """Where an output cannot be delivered: a file on the way, or a directory that takes nothing."""
    remedy = "Name a directory in 'output_paths'."
    for port in made.outputs.values():
        target = absolute(Path(port.host).expanduser()) if port.host.strip() else None
        if target is None:
            continue
        there = next(each for each in (target, *target.parents) if each.exists())
        if not there.is_dir():
            what = "which is a file" if there == target else f"and {shown(there)} is a file"
            return Fault("output-path", f"output '{port.name}' is to go to {shown(Path(port.host))}, {what}", remedy)
        if not os.access(there, os.W_OK | os.X_OK):
            message = f"output '{port.name}' is to go to {shown(target)}, and nothing can be written to {shown(there)}"
            return Fault("output-path", message, remedy)
    return None


def _environment_fault(made: Subject) -> Fault | None:
    """What the contract requires and nothing gives, but for what the script itself can do without."""
    if made.contract is None or made.facts is None:
        return None
    needless = {each.name for each in made.facts.environment if not each.required}
    lacking = [
        name for name in made.contract.contract.required_env_vars if name not in made.env and name not in needless
    ]
    if not lacking:
        return None
    line = made.contract.line("required_env_vars")
    where = f"{shown(made.contract.path)}:{line}"
    return Fault(
        "environment",
        f"{where}: the contract requires {_counted('environment variable', lacking)}, and the spec does not set "
        f"{_them(lacking)}",
        f"Set {listed(lacking)} in 'environ_vars'.",
    )


def _argument_fault(made: Subject) -> Fault | None:
    """Arguments that `main` cannot be called with, and options that the script's parser requires and nothing gives."""
    if made.is_called and isinstance(made.arguments, list):
        message = "main is called with job_args by name, and the spec has a list of words"
        return Fault("arguments", message, "Write 'job_args' as a mapping, or give the script a __main__ block.")
    if made.facts is None or made.is_called or isinstance(made.arguments, list) or made.facts.unknown("arguments"):
        return None
    given = {_plain(name) for name in made.arguments}
    lacking = [
        option
        for option in made.facts.options
        if option.required
        and not option.positional
        and option.command is None
        and not given & {_plain(flag) for flag in (*option.flags, option.dest)}
    ]
    if not lacking:
        return None
    flags = [option.flags[0] for option in lacking]
    where = f"{shown(made.facts.path)}:{lacking[0].line}"
    names = [option.dest for option in lacking]
    message = f"{where}: the script requires {_counted('argument', flags)}, and the spec does not give {_them(flags)}"
    return Fault("arguments", message, f"Add {listed(names)} to 'job_args'.")


def _counted(noun: str, names: list[str]) -> str:
    return f"the {noun}{'s' if len(names) > 1 else ''} {listed(names)}"


def _them(names: list[str]) -> str:
    return "them" if len(names) > 1 else "it"
