"""Which script a node of a DAG means, by which rule, and what else it could have been."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.errors import SpecError, UsageError
from runner.spec.contracts import ScriptContract
from runner.spec.document import absolute, shown
from runner.spec.names import afford, listed
from runner.spec.naming import folded, readings, snake_case, split_job_type
from runner.spec.scripts import Option, facts

RULES = ("script_path", "script_name", "canonical_name", "node_name")
"""In the order in which they win: the path that is given; the name that is given; the step's canonical name, and then
the whole name of the node, each in snake case (the whole one first where it begins with a small letter)."""
BELOW = ("", "scripts")
"""Where a search directory may hold scripts."""
_LIKE = 0.6
"""Below this likeness a name is no suggestion."""
_MOST = 3
_JOB_TYPE = "job_type"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A script, and how well it fits. A rule that a name obeys scores 1.0."""

    path: Path
    rule: str
    """One of `RULES`, or `similar`: that is never chosen, only suggested."""
    score: float


@dataclass(frozen=True)
class Resolution:
    """What `resolve` found. `script` is None when no rule found a file; `message` then says where it looked."""

    node: str
    canonical_name: str
    script_name: str
    """Of the file, without its ending, that was looked for first."""
    script: Path | None = None
    rule: str | None = None
    score: float = 0.0
    job_type: str | None = None
    """From the node's name."""
    job_type_flag: str | None = None
    """The argument with which the job type is to be given, as `--job_type`; None where nothing asks for it."""
    job_type_asked_by: str | None = None
    """`script` or `contract`."""
    alternatives: tuple[Candidate, ...] = ()
    """Other files, the best first: those that a later rule or directory has, then similar names."""
    looked_for: tuple[Path, ...] = ()
    remark: str | None = None
    """What is wrong with what was chosen: a job type that the script does not take, a script that cannot be read."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the script's command line gets of the node's name: `("--job_type", "training")`, or nothing."""
        return (self.job_type_flag, self.job_type) if self.job_type_flag and self.job_type else ()

    @property
    def message(self) -> str:
        """Why there is no script: where it was looked for, and the nearest names."""
        near = [f"{shown(each.path)} ({each.score:.2f})" for each in self.alternatives]
        hint = f"; nearest: {', '.join(near)}" if near else ""
        where = listed([shown(path) for path in self.looked_for])
        return f"no script for node '{self.node}': looked for {where}{hint}"

    def require(self) -> Path:
        """The script. Raises UsageError with `message` when there is none."""
        if self.script is None:
            raise UsageError(self.message, remedy="Give it by 'script_path', or add its directory to the search.")
        return self.script


def resolve(
    node: str,
    search: Sequence[Path],
    *,
    script_path: Path | None = None,
    script_name: str | None = None,
    contract: ScriptContract | None = None,
) -> Resolution:
    """The script of a node. `search` are directories, the workspace first: in each a file is looked for itself and
    below `scripts`. `script_path` wins over everything; `script_name` (without `.py`) over the node's name.

    A name that is merely similar is never taken. Never raises: what is not found is told by `Resolution.message`.
    """
    canonical, job_type = split_job_type(node)
    names = list(_names(node, script_name))
    first = Resolution(node, canonical, script_path.stem if script_path else names[0][1])
    if script_path is not None:
        return _by_path(first, absolute(script_path), job_type, contract)
    found: dict[Path, Candidate] = {}
    looked_for: dict[Path, None] = {}
    used: dict[Path, str | None] = {}
    for rule, name, meant in names:
        for directory in search:
            for below in BELOW:
                path = absolute(directory / below / f"{name}.py")
                looked_for[path] = None
                if path.is_file() and path not in found:
                    found[path] = Candidate(path, rule, 1.0)
                    used[path] = meant
    every = tuple(found.values())
    if not every:
        wanted = [name for _, name, _ in names]
        return replace(first, job_type=job_type, looked_for=tuple(looked_for), alternatives=_similar(wanted, search))
    chosen = every[0]
    made = replace(
        first,
        script=chosen.path,
        script_name=chosen.path.stem,
        rule=chosen.rule,
        score=chosen.score,
        canonical_name=canonical if used[chosen.path] else node,
        job_type=used[chosen.path],
        alternatives=every[1:],
        looked_for=tuple(looked_for),
    )
    return _with_job_type(made, contract)


def _names(node: str, script_name: str | None) -> Iterator[tuple[str, str, str | None]]:
    """Rule, name and job type of each name that is tried."""
    if script_name is not None:
        yield "script_name", script_name, split_job_type(node)[1]
        return
    seen: set[str] = set()
    for name, job_type in readings(node):
        whole = name == node
        for spelling in (snake_case(name), name):
            if spelling not in seen:
                seen.add(spelling)
                yield "node_name" if whole and split_job_type(node)[1] else "canonical_name", spelling, job_type


def _by_path(first: Resolution, path: Path, job_type: str | None, contract: ScriptContract | None) -> Resolution:
    made = replace(first, job_type=job_type, looked_for=(path,))
    if not path.is_file():
        return replace(made, alternatives=_similar([path.stem], [path.parent]))
    return _with_job_type(replace(made, script=path, rule="script_path", score=1.0), contract)


def _with_job_type(made: Resolution, contract: ScriptContract | None) -> Resolution:
    """Whether the node's job type is to be given to the script, as its arguments or its contract ask."""
    script, job_type = made.script, made.job_type
    if job_type is None or script is None:
        return made
    try:
        option = _job_type_option(script)
    except SpecError as error:
        option, made = None, replace(made, remark=error.message)
    if option is not None:
        flag = next((each for each in option.flags if each.startswith("--")), option.flags[0])
        made = replace(made, job_type_flag=flag, job_type_asked_by="script")
        if option.choices is not None and job_type not in option.choices:
            choices = [str(choice) for choice in option.choices]
            message = f"{shown(script)}:{option.line}: {flag} takes {listed(choices)}, not '{job_type}'"
            return replace(made, remark=message)
        return made
    asked = [name for name in (contract.expected_arguments if contract else ()) if name.replace("-", "_") == _JOB_TYPE]
    return replace(made, job_type_flag=f"--{asked[0]}", job_type_asked_by="contract") if asked else made


def _job_type_option(script: Path) -> Option | None:
    option = facts(script).option(_JOB_TYPE)
    return None if option is None or option.positional else option


def _similar(names: Sequence[str], search: Sequence[Path]) -> tuple[Candidate, ...]:
    from difflib import SequenceMatcher

    scores: dict[Path, float] = {}
    wanted = dict.fromkeys(folded(name) for name in names)
    scripts = _scripts(search) if any(afford(name, 1) for name in wanted) else []
    for name in (name for name in wanted if afford(name, len(scripts))):
        compared = SequenceMatcher(None, "", name)
        for path in scripts:
            compared.set_seq1(folded(path.stem))
            if compared.real_quick_ratio() >= _LIKE <= compared.quick_ratio():
                scores[path] = max(compared.ratio(), scores.get(path, 0.0))
    scores = {path: score for path, score in scores.items() if score >= _LIKE}
    best = sorted(scores, key=lambda path: (-scores[path], path))[:_MOST]
    return tuple(Candidate(path, "similar", round(scores[path], 2)) for path in best)


def _scripts(search: Sequence[Path]) -> list[Path]:
    every = dict.fromkeys(absolute(directory / below) for directory in search for below in BELOW)
    return [path for each in every if each.is_dir() for path in sorted(each.glob("*.py")) if path.is_file()]
