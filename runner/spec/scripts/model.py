"""What is known of a script from its text alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Value:
    """A default as the script writes it. `value` is meaningful only where `known`: the text is a literal."""

    text: str
    known: bool = False
    value: object = None


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: str
    """`positional`, `*args`, `keyword-only` or `**kwargs`."""
    required: bool

    def __str__(self) -> str:
        mark = {"*args": "*", "**kwargs": "**"}.get(self.kind, "")
        return f"{mark}{self.name}" + ("" if self.required or mark else "=...")


@dataclass(frozen=True, slots=True)
class Main:
    """What the name `main` is bound to at the top level of the script."""

    kind: str
    """`def`, `async def`, `lambda`, `assignment` (of something else) or `import`."""
    line: int
    parameters: tuple[Parameter, ...] | None
    """None where the text does not say: an imported or computed function."""


@dataclass(frozen=True, slots=True)
class Option:
    """One `add_argument` of argparse. What is not written, or not a literal, is None."""

    flags: tuple[str, ...]
    """As written, `("-n", "--name")`; of a positional its name."""
    dest: str
    line: int
    required: bool | None
    """Whether parsing fails without it; None where that is computed."""
    default: Value | None = None
    choices: tuple[object, ...] | None = None
    type: str | None = None
    action: str | None = None
    help: str | None = None
    command: str | None = None
    """The subcommand of an `add_subparsers` that it belongs to."""

    @property
    def positional(self) -> bool:
        return not self.flags[0].startswith("-")


@dataclass(frozen=True, slots=True)
class EnvironmentRead:
    name: str
    line: int
    required: bool
    """Whether the script fails there without the variable."""
    default: Value | None = None
    through: str = "os.environ"
    """`os.environ`, or `main` for the mapping that `main` is given as `environ_vars`."""


@dataclass(frozen=True, slots=True)
class PathUse:
    """A path below /opt/ml. Where not `complete`, the script goes on below it in a way that the text does not say."""

    path: str
    line: int
    complete: bool = True


@dataclass(frozen=True, slots=True)
class PortRead:
    """A logical name that `main` looks up in its `input_paths` or `output_paths`."""

    kind: str
    """`input` or `output`."""
    name: str
    line: int
    required: bool


@dataclass(frozen=True, slots=True)
class Import:
    """A third-party module that the script imports."""

    module: str
    """As written, `sklearn.metrics`."""
    line: int
    optional: bool = False
    """The script goes on without it: the import is in a `try` that catches its failure, or in such a handler."""
    deferred: bool = False
    """Inside a function: it happens only if that is called."""
    instead_of: str | None = None
    """The module whose failed import leads here."""

    @property
    def name(self) -> str:
        """Of the top-level module."""
        return self.module.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Unread:
    """A place where the text does not say enough, so that nothing may be concluded from what was not found."""

    subject: str
    """`arguments`, `environment`, `input` or `output`."""
    line: int
    reason: str


@dataclass(frozen=True)
class ScriptFacts:
    """All that `facts` found. Tuples are in the order of the text."""

    path: Path
    main: Main | None
    main_block: int | None
    """Line of `if __name__ == "__main__":`."""
    options: tuple[Option, ...]
    environment: tuple[EnvironmentRead, ...]
    paths: tuple[PathUse, ...]
    ports: tuple[PortRead, ...]
    imports: tuple[Import, ...]
    unread: tuple[Unread, ...]

    @property
    def has_main(self) -> bool:
        return self.main is not None

    @property
    def has_main_block(self) -> bool:
        return self.main_block is not None

    def unknown(self, subject: str) -> Unread | None:
        """The first place that hides something of `subject`; None when all of it was read."""
        return next((found for found in self.unread if found.subject == subject), None)

    def option(self, dest: str) -> Option | None:
        """The option whose value arrives as `dest`."""
        return next((option for option in self.options if option.dest == dest), None)
