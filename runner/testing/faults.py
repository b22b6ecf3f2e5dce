"""What is wrong with a script, found before a container is made; and with what the caller gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from runner.errors import UsageError
from runner.spec import wording
from runner.spec.document import Document, Place

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps a script from being run: `message` says what is wrong with both sides and the line; `remedy` what to
    do."""

    kind: str
    """As in `ScriptTestResult.kind`."""
    message: str
    remedy: str = ""


class SpecFault(UsageError, ValueError):
    """What the caller gave cannot be tested; also a ValueError, as Python's users expect."""

    def __init__(self, message: str, *, remedy: str = "", places: Sequence[tuple[Place, str]] = ()) -> None:
        """`places` say the same of each value by itself, for whoever knows in which file it stands."""
        super().__init__(message, remedy=remedy)
        self.places = tuple(places)


def at(place: Place, message: str, *, remedy: str = "") -> SpecFault:
    """A fault of one value of what the caller gave."""
    return SpecFault(f"{_dotted(place)}: {message}", remedy=remedy, places=[(place, message)])


def checked(model: type[Model], data: Any, *, where: str = "", place: Place = ()) -> Model:
    """The model of `data`, which stands at `place`. Raises SpecFault with everything that is wrong, in plain words;
    `where` begins each line."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = [
            ((*place, *wording.place_of(details)), problem.message.removeprefix("Value error, "))
            for details, problem in zip(
                error.errors(include_url=False),
                wording.problems(error, Document("", b"", None, {}), model, data),
                strict=True,
            )
        ]
        lines = [f"{where}{_dotted(each)}: {message}" if each else f"{where}{message}" for each, message in found]
        raise SpecFault("\n".join(lines), places=found) from None


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place)
