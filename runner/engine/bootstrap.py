"""Which base image a build starts from, and making one where no registry can be reached."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.engine import bootstrap_debian
from runner.engine.oneshot import ask
from runner.engine.pull import PullError, PullFailure, present, pull
from runner.engine.recipes import REPOSITORY, Recipe
from runner.errors import ImageUnavailable

if TYPE_CHECKING:
    from docker import DockerClient

Log = Callable[[str], None]

BASE_VARIABLE = "RUN_PIPELINE_BASE_IMAGE"
_PROBE = "import json, sys, venv; print(json.dumps(list(sys.version_info[:3])))"
_OLDEST_PYTHON = (3, 7)


@dataclass(frozen=True, slots=True)
class Base:
    """A base image that is present."""

    reference: str
    python: str
    """`3.12.4`"""


@dataclass(slots=True)
class BaseChooser:
    """Chooses bases for one command; remembers that no registry answered, so that only the first image waits for it."""

    client: DockerClient
    log: Log
    given: str | None = None
    """What the user asked for, which always wins."""
    unreachable: PullError | None = None
    _known: dict[str, Base] = field(default_factory=dict)

    def choose(self, recipe: Recipe) -> Base:
        """The base for a recipe, made present. Raises ImageUnavailable."""
        reference = self._given(self.given) if self.given else self._default(recipe)
        if reference not in self._known:
            self._known[reference] = Base(reference, _python_of(self.client, reference))
        return self._known[reference]

    def _given(self, reference: str) -> str:
        if not present(self.client, reference):
            pull(self.client, reference, self.log)
        return reference

    def _default(self, recipe: Recipe) -> str:
        reference = recipe.default_base
        if present(self.client, reference):
            return reference
        if self.unreachable is None:
            try:
                pull(self.client, reference, self.log)
            except PullError as error:
                if error.failure is PullFailure.REFUSED:
                    raise ImageUnavailable(error.message, remedy=_own_base(error.remedy)) from error
                self.log(f"{error.message}")
                self.unreachable = error
            else:
                return reference
        return self._made_here(self.unreachable)

    def _made_here(self, cause: PullError) -> str:
        suite = bootstrap_debian.suite()
        if suite is None:
            raise ImageUnavailable(
                f"{cause.message}, and only Debian and Ubuntu can make a base image from their packages",
                remedy=_own_base(cause.remedy),
            ) from cause
        tag = f"{REPOSITORY}/base:{suite}"
        if present(self.client, tag):
            self.log(f"using {tag}, made before from this machine's distribution packages")
        else:
            self.log(f"making {tag} from this machine's distribution packages (about a minute)")
            bootstrap_debian.make(self.client, suite, tag, self.log)
        return tag


def _own_base(remedy: str) -> str:
    return f"{remedy}; or name a base image that is here: `--base-image IMAGE` or {BASE_VARIABLE}=IMAGE"


def _python_of(client: DockerClient, reference: str) -> str:
    """The version of `python3` in an image, asked by running it. Raises ImageUnavailable when it cannot be a base."""
    from docker.errors import APIError

    remedy = _own_base("a base needs python3 3.7 or newer with the venv module")
    try:
        answer = ask(client, reference, ["python3", "-c", _PROBE], purpose="base")
    except APIError as error:
        raise ImageUnavailable(f"{reference!r} cannot be a base: {error.explanation}", remedy=remedy) from error
    if answer.exit_code != 0:
        said = " ".join(answer.stderr.splitlines()[-1:])
        raise ImageUnavailable(f"{reference!r} cannot be a base: {said}", remedy=remedy)
    version = tuple(json.loads(answer.stdout))
    if version < _OLDEST_PYTHON:
        raise ImageUnavailable(f"{reference!r} cannot be a base: its Python is {version}", remedy=remedy)
    return ".".join(str(part) for part in version)
