"""A script's contract: what it is promised to take and to give. The shape of Python contracts and `*.step.yaml`."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator

from runner.errors import Problem
from runner.spec import fold
from runner.spec.document import Document, Place
from runner.spec.expects import Expects
from runner.spec.fields import EnvKey, Filled, PortName, before
from runner.spec.fold import Misfit
from runner.spec.names import did_you_mean
from runner.spec.scalar import described
from runner.spec.strict import Strict

ROOT = "/opt/ml/"
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?)\s*(.*?)\s*")


def _entry_point(text: str) -> str:
    if not text.endswith(".py") or PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
        raise Misfit(f"expected the file name of the script, as train.py; got {described(text)}")
    return text


def _path(text: str) -> str:
    """A directory or file below /opt/ml, without a slash at its end."""
    if not text.startswith(ROOT) or text.rstrip("/") == ROOT.rstrip("/"):
        raise Misfit(f"expected a path in the container that begins with {ROOT}, got {described(text)}")
    if posixpath.normpath(text) != text.rstrip("/"):
        raise Misfit(f"write the path without '.', '..' and '//': {posixpath.normpath(text)}")
    return text.rstrip("/")


def _defaults(value: object) -> dict[str, str | None]:
    """Name -> default as text. A mere list of names has no defaults, and so has a null."""
    if isinstance(value, list | tuple):
        return dict.fromkeys(_names(value))
    if not isinstance(value, dict):
        raise Misfit(f"expected a mapping from name to default, or a list of names; got {described(value)}")
    found: dict[str, str | None] = {}
    for name, default in value.items():
        try:
            found[name] = None if default is None else fold.verbatim(default)
        except Misfit as error:
            raise Misfit(str(error), name) from None
    return found


def _names(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise Misfit(f"expected a list of names, got {described(value)}")
    found: list[str] = []
    for index, name in enumerate(value):
        if not isinstance(name, str):
            raise Misfit(f"expected a name, got {described(name)}", index)
        if name in found:
            raise Misfit(f"'{name}' is listed twice", index)
        found.append(name)
    return found


def _arguments(value: object) -> dict[str, str | None]:
    """As `_defaults`; the dashes of a flag are left out, underscores and dashes within it are kept."""
    found: dict[str, str | None] = {}
    for name, default in _defaults(value).items():
        plain = name.lstrip("-")
        if not plain or plain in found:
            raise Misfit(f"'{name}' is given twice" if plain else "an argument needs a name", name)
        found[plain] = default
    return found


def _requirements(value: object) -> dict[str, str]:
    """Package -> version condition; also from a list as in `requirements.txt`."""
    if not isinstance(value, list | tuple):
        return {name: version or "" for name, version in _defaults(value).items()}
    found: dict[str, str] = {}
    for index, line in enumerate(value):
        match = _REQUIREMENT.fullmatch(line) if isinstance(line, str) else None
        if match is None:
            raise Misfit(f"expected a requirement, as pandas>=2; got {described(line)}", index)
        found[match[1]] = match[2]
    return found


ContractPath = Annotated[str, AfterValidator(_path)]
_Defaults = dict[str, Any] | list[str]


class ScriptContract(Strict):
    """What a script is promised to take and to give."""

    root: ClassVar[str] = ROOT

    entry_point: Annotated[Filled, AfterValidator(_entry_point)]
    """File name of the script."""
    expected_input_paths: dict[PortName, ContractPath] = Field(default={})
    """Logical name -> path in the container."""
    expected_output_paths: dict[PortName, ContractPath] = Field(default={})
    """Logical name -> path in the container."""
    expected_arguments: Annotated[dict[Filled, str | None], before(_arguments, _Defaults)] = Field(default={})
    """Argument without its dashes -> default; None where it has none."""
    expects: dict[PortName, Expects] = Field(default={})
    """Logical name of an input -> what its data must be, as `expects` in a pipeline file."""
    required_env_vars: Annotated[list[EnvKey], before(_names, list[str])] = Field(default=[])
    optional_env_vars: Annotated[dict[EnvKey, str | None], before(_defaults, _Defaults)] = Field(default={})
    """Name -> default; None where the contract names none."""
    framework_requirements: Annotated[dict[Filled, str], before(_requirements, _Defaults)] = Field(default={})
    """Package -> version condition, as `>=2`."""
    description: str = ""

    @model_validator(mode="after")
    def _one_meaning(self) -> ScriptContract:
        for name in self.required_env_vars:
            if name in self.optional_env_vars:
                raise Misfit("is also among required_env_vars: remove one of the two", "optional_env_vars", name)
        for name in self.expects:
            if name not in self.expected_input_paths:
                hint = did_you_mean(name, self.expected_input_paths)
                raise Misfit(f"no such name in expected_input_paths{hint}", "expects", name)
        for field in ("expected_input_paths", "expected_output_paths"):
            for name, path in getattr(self, field).items():
                if not path.startswith(self.root):
                    raise Misfit(
                        f"SageMaker takes only paths that begin with {self.root} here, got '{path}'", field, name
                    )
        return self


class ProcessingScriptContract(ScriptContract):
    """Of a processing step: SageMaker's rule for `LocalPath` holds."""

    root: ClassVar[str] = fold.PROCESSING_ROOT


class TrainingScriptContract(ScriptContract):
    """Of a training step: channels below /opt/ml/input, results in /opt/ml/model and /opt/ml/output."""


CLASSES: dict[str, type[ScriptContract]] = {
    each.__name__: each for each in (ScriptContract, ProcessingScriptContract, TrainingScriptContract)
}


@dataclass(frozen=True)
class FoundContract:
    """A contract and where it was written."""

    name: str
    """Of the variable, or of the file before `.step.yaml`."""
    path: Path
    contract: ScriptContract
    document: Document

    def line(self, *place: str | int) -> int:
        """Where a part of it stands."""
        return self.document.mark(place, key=True)[0]

    def problem(self, place: Place, message: str) -> Problem:
        return self.document.problem(place, message)
