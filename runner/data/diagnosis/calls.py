"""What was asked of a script, a function or an import, and could not be had: arguments, signatures, modules, syntax."""

from __future__ import annotations

import re
from collections.abc import Iterable

from runner.data.diagnoses import Kind
from runner.data.diagnosis.columns import key_of
from runner.data.diagnosis.model import Failure, Finding, shortened
from runner.data.raised import Raised
from runner.engine.modules import cure
from runner.spec.names import listed, nearest

_NO_MODULE = re.compile(r"^No module named '?(?P<name>[\w.]+)'?(?:; '(?P<parent>[\w.]+)' is not a package)?")
_NO_MODULE_TO_RUN = re.compile(
    r"^\S*python[\d.]*: "
    r"(?:Error while finding module specification for '(?P<spec>.*?)'|No module named '?(?P<name>[\w.]+))",
    re.M,
)
_NO_NAME = re.compile(
    r"^cannot import name '(?P<name>\w+)' from (?P<half>partially initialized module )?'(?P<module>[\w.]+)'"
)
_NO_LIBRARY = re.compile(r"^(?P<library>[\w.+-]+\.so[\w.]*): cannot open shared object file")
_SIGNATURE = re.compile(
    r"^(?P<function>[\w.<>]+)\(\) (?:takes|missing|got (?:an unexpected keyword|multiple values|some positional-only))"
)
_ERROR = re.compile(r"^(?P<program>[^\s:]*[\w.-]+): error: (?P<words>.+)$", re.MULTILINE)
_CLICK = re.compile(
    r"^Error: (?P<words>(?:No such option|Missing (?:option|argument)|Invalid value|Got unexpected).*)$", re.M
)
_OPTIONS = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_UNKNOWN = re.compile(r"^(?:unrecognized arguments:|No such option:?) (?P<rest>.+)$")
_REQUIRED = re.compile(r"^the following arguments are required: (?P<names>.+)$")
_ABOUT = re.compile(r"^argument (?P<name>[^:]+): (?P<words>.+)$")


def not_importable(failure: Failure, raised: Raised) -> Finding | None:
    """A module, or a name in one, that the image does not have."""
    message = raised.message.strip()
    if raised.name not in ("ModuleNotFoundError", "ImportError"):
        return None
    if (found := _NO_MODULE.match(message)) is not None:
        return _no_module(failure, found["name"], found["parent"])
    if (found := _NO_NAME.match(message)) is not None:
        if found["half"]:
            words = f"'{found['module']}' imports itself in a circle before it has '{found['name']}'"
            return Finding(Kind.IMPORT, words, "move one of the two imports into a function")
        fix = f"use what the image's version of '{found['module'].partition('.')[0]}' has, or bring your own version"
        words = f"'{found['module']}' in image '{failure.job.image}' has no '{found['name']}'"
        own = "/opt/ml/" in message
        return Finding(
            Kind.IMPORT, f"'{found['module']}' has no '{found['name']}'" if own else words, "" if own else fix
        )
    if (found := _NO_LIBRARY.match(message)) is not None:
        words = f"image '{failure.job.image}' does not have the system library {found['library']}"
        return Finding(Kind.IMPORT, words, "use an image that has it")
    return Finding(Kind.IMPORT, f"an import failed: {shortened(raised.line)}")


def _no_module(failure: Failure, name: str, parent: str | None) -> Finding:
    top = name.partition(".")[0]
    if parent:
        words = f"module '{name}' cannot be imported: '{parent}' is not a package"
        return Finding(Kind.IMPORT, words, f"look for a file {parent}.py that hides the package of that name")
    script = failure.script
    if script is not None and ((script.parent / f"{top}.py").is_file() or (script.parent / top).is_dir()):
        words = f"module '{name}' lies beside the script on the host, and `script` alone does not send it along"
        return Finding(Kind.IMPORT, words, f"give the step `source_dir: {script.parent.name or '.'}`, which holds both")
    fix = cure(top, failure.job.image, with_file=failure.job.requirements is not None)
    return Finding(Kind.IMPORT, f"module '{name}' is not in image '{failure.job.image}'", fix)


def wrong_signature(raised: Raised) -> Finding | None:
    """A function was called with other arguments than it takes."""
    if raised.name != "TypeError" or _SIGNATURE.match(raised.message) is None:
        return None
    return Finding(Kind.SIGNATURE, shortened(raised.message), "make the call and the function's parameters agree")


def wrong_syntax(raised: Raised) -> Finding | None:
    """The interpreter could not even read the script, or a module of it."""
    if raised.name not in ("SyntaxError", "IndentationError", "TabError"):
        return None
    where = raised.frames[-1] if raised.frames else None
    marked: tuple[str, ...] = () if where is None or not where.source else (where.source,)
    if where is not None and where.source and where.column is not None and where.column >= 0:
        marked = (where.source, f"{' ' * where.column}^")
    at = f" (line {where.line} of {where.file.rpartition('/')[2]})" if where is not None else ""
    return Finding(Kind.SYNTAX, f"not valid Python: {shortened(raised.message)}{at}", "", marked)


def no_variable(failure: Failure, raised: Raised, source: str) -> Finding | None:
    """`os.environ['X']` of a variable that is not set."""
    key = key_of(raised)
    through_os = any(f.function == "__getitem__" and f.file in ("<frozen os>",) for f in raised.frames)
    through_os |= any(f.function == "__getitem__" and f.file.endswith("/os.py") for f in raised.frames)
    if not isinstance(key, str) or not (through_os or (f"environ[{key!r}]" in source or f'environ["{key}"]' in source)):
        return None
    near = nearest(key, [name for name, _ in failure.job.env])
    hint = f" (nearest that is: '{near}')" if near else ""
    return Finding(
        Kind.ARGUMENTS, f"environment variable {key} is not set{hint}", f"add `{key}: ...` to the step's `env`"
    )


def wrong_arguments(failure: Failure, text: str) -> Finding | None:
    """argparse's and click's exit 2. `text` is the end of stderr."""
    errors = [*_ERROR.finditer(text), *_CLICK.finditer(text)]
    if failure.exit_code != 2 or not errors:
        return None
    words = errors[-1]["words"].strip()
    usage = text[text.rfind("usage:", 0, errors[-1].start()) : errors[-1].start()] if "usage:" in text else ""
    key = "hyperparameters" if failure.job.step_type == "training" else "args"
    if (found := _UNKNOWN.match(words)) is not None:
        return _unknown(found["rest"], usage, key)
    if (found := _REQUIRED.match(words)) is not None:
        names = [name.strip() for name in found["names"].split(",")]
        given = ", ".join(f"{_key(name)}: ..." for name in names)
        return Finding(
            Kind.ARGUMENTS,
            f"the script requires {listed(names)}, which it was not given",
            f"add `{given}` to the step's `{key}`",
        )
    if (found := _ABOUT.match(words)) is not None:
        first = found["name"].split("/")[0]
        sentence = f"the script does not take what it was given for '{found['name']}': {found['words']}"
        return Finding(Kind.ARGUMENTS, shortened(sentence), f"change `{_key(first)}` in the step's `{key}`")
    return Finding(
        Kind.ARGUMENTS, shortened(f"the script does not take its arguments: {words}"), f"look at the step's `{key}`"
    )


def _unknown(rest: str, usage: str, key: str) -> Finding:
    given = [word.partition("=")[0] for word in rest.split()]
    options = [word for word in given if word.startswith("-")] or given[:1]
    known = list(dict.fromkeys(option for option in _OPTIONS.findall(usage) if option not in ("-h", "--help")))
    pairs = [(option, near) for option in options if (near := _near(option, known)) is not None]
    hint = f" (nearest: '{pairs[0][1]}')" if pairs else ""
    knows = f"; it knows {listed(known)}" if known else ""
    words = f"the script does not know {listed(options)}{knows}{hint}"
    if pairs:
        return Finding(
            Kind.ARGUMENTS, words, f"write `{_key(pairs[0][1])}` instead of `{_key(pairs[0][0])}` in the step's `{key}`"
        )
    return Finding(Kind.ARGUMENTS, words, f"take `{_key(options[0])}` out of the step's `{key}`")


def _near(option: str, known: Iterable[str]) -> str | None:
    names = {_key(name).replace("-", "_"): name for name in known}
    best = nearest(_key(option).replace("-", "_"), names)
    return names[best] if best else None


def _key(option: str) -> str:
    return option.lstrip("-")


def no_module_to_run(failure: Failure, text: str) -> Finding | None:
    """`python3: No module named x`, of `python -m`: it has no traceback."""
    found = _NO_MODULE_TO_RUN.search(text)
    return _no_module(failure, found["name"] or found["spec"], None) if found else None
