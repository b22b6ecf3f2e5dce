"""A path that is not there, or that the script may not use: what lies there instead, and what the step does have."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from runner.data.diagnoses import Kind
from runner.data.diagnosis.model import Failure, Finding, below, some
from runner.data.raised import Raised
from runner.sagemaker.job import Code, InputMount
from runner.spec.names import at_most, nearest, nearest_file

_COMPARISONS = 3000
_ERRNO = re.compile(
    r"\[Errno (?P<number>\d+)\] [^:]*(?:: b?(?P<quote>['\"])(?P<path>.*?)(?P=quote)(?: -> .*)?)?$", re.DOTALL
)
_NO_PARENT = re.compile(r"Cannot save file into a non-existent directory: '(?P<path>.*)'")
_ABSOLUTE = re.compile(r"/[^\s'\":,()]+")
_CANNOT_OPEN = re.compile(r"can't open file '(?P<path>.*?)': \[Errno 2\]")
_WRITES = re.compile(r"""['"](?:[wax]|wb|ab|xb|wt|w\+)['"]|\.to_\w+\(|\.save\w*\(|\.dump\(""")
ENOENT, EACCES, EPERM, ENOTDIR, EISDIR, ENOSPC, EROFS = 2, 13, 1, 20, 21, 28, 30
_SHM = "/dev/shm"  # noqa: S108  no file is made there
_HOST = ("/home/", "/Users/", "/mnt/", "/workspace/")


def missing_file(failure: Failure, raised: Raised) -> Finding | None:
    """For FileNotFoundError and its like, also of libraries that have exceptions of their own."""
    number, path = _error(raised)
    if (found := _NO_PARENT.search(raised.message)) is not None:
        return _no_directory(failure, found["path"])
    if raised.name == "FileNotFoundError" and path is None:
        path = _absolute(raised.message)
    elif number is None and "No such file or directory" in raised.message:  # XGBoostError's, and other libraries'
        path = _absolute(raised.message)
        number = ENOENT if path else None
    if raised.name not in ("FileNotFoundError", "NotADirectoryError", "IsADirectoryError") and number != ENOENT:
        return None
    if path is None:
        return Finding(Kind.MISSING_FILE, f"a file is not there: {raised.line}")
    if any(frame.function == "_execute_child" for frame in raised.frames):
        return _program(failure, path)
    writes = bool(_WRITES.search(raised.frames[-1].source if raised.frames else ""))
    with at_most(_COMPARISONS):
        return _absent(failure, path, writes=writes)


def cannot_start(failure: Failure, text: str) -> Finding | None:
    """`python3: can't open file ...`: it has no traceback."""
    found = _CANNOT_OPEN.search(text)
    return _absent(failure, found["path"], writes=False) if found else None


def not_permitted(failure: Failure, raised: Raised) -> Finding | None:
    """For PermissionError, and for a read-only file system."""
    number, path = _error(raised)
    if number == EROFS:
        return _read_only(failure, path)
    if raised.name != "PermissionError" and number not in (EACCES, EPERM):
        return None
    return Finding(Kind.PERMISSION, f"the script may not use '{path}'" if path else f"not permitted: {raised.line}")


def no_space(failure: Failure, raised: Raised) -> Finding | None:
    """A full disk; of /dev/shm it is the step's own limit."""
    number, path = _error(raised)
    if number != ENOSPC or _SHM not in f"{path} {raised.message}":
        return None
    limit = f"its limit of {failure.job.limits.shm_size} bytes" if failure.job.limits.shm_size else "Docker's 64 MiB"
    return Finding(Kind.MEMORY, f"{_SHM} is full: the step has {limit}", "give the step `resources: {shm_size: ...}`")


def _error(raised: Raised) -> tuple[int | None, str | None]:
    found = _ERRNO.search(raised.message)
    return (int(found["number"]), found["path"]) if found else (None, None)


def _absolute(text: str) -> str | None:
    found = _ABSOLUTE.search(text.partition("Opening ")[2] or text)
    return found[0].rstrip(".") if found else None


def _absent(failure: Failure, path: str, *, writes: bool) -> Finding:
    if not path.startswith("/"):
        return _relative(failure, path, writes=writes)
    if any(below(path, output.target) for output in failure.job.outputs):
        return _in_output(failure, path, writes=writes)
    item = failure.input_of(path)
    if item is not None:
        return _in_input(failure, item, path)
    if below(path, "/opt/ml"):
        return _no_input(failure, path)
    if path.startswith(_HOST):
        words = f"'{path}' looks like a path of the host; the container has the step's inputs only: {_inputs(failure)}"
        return Finding(Kind.MISSING_FILE, words, "make it an input of the step, and read it from there")
    return Finding(Kind.MISSING_FILE, f"'{path}' is not in the container")


def _in_input(failure: Failure, item: InputMount, path: str) -> Finding:
    kind = "the step's code" if isinstance(item.source, Code) else f"input '{item.name}'"
    there = list(failure.files(item.name))
    relative = path[len(item.target) :].strip("/")
    names = [name for name in there if not name.endswith("/")]
    if not relative or f"{relative}/" in there:
        fix = "open one of its files" if names else ""
        inside = [name for name in names if not relative or name.startswith(f"{relative}/")]
        return Finding(Kind.MISSING_FILE, f"'{path}' is a directory of {kind}; it holds {some(inside, 'nothing')}", fix)
    if not there:
        return Finding(Kind.MISSING_FILE, f"'{relative}' is not in {kind} ({item.target})")
    above = next((str(p) for p in PurePosixPath(relative).parents if str(p) in names), None)
    if above is not None:
        rest = relative[len(above) + 1 :]
        return Finding(Kind.MISSING_FILE, f"'{above}' in {kind} is a file and no directory, so it holds no '{rest}'")
    if relative in names:
        words = f"'{relative}' lies in {kind} on the host, but the script did not find it at {path}"
        return Finding(Kind.MISSING_FILE, words)
    best = _nearest(relative, names)
    hint = f" (nearest: '{best}')" if best else ""
    words = f"'{relative}' is not in {kind} ({item.target}), which holds {some(names, 'no files')}{hint}"
    return Finding(Kind.MISSING_FILE, words, f"read '{item.target.rstrip('/')}/{best}'" if best else "")


def _nearest(wanted: str, names: list[str]) -> str | None:
    """The same name in another directory, or else the most alike."""
    same = [name for name in names if PurePosixPath(name).name == PurePosixPath(wanted).name]
    return same[0] if same else nearest_file(wanted, names)


def _no_input(failure: Failure, path: str) -> Finding:
    wanted = PurePosixPath(path)
    targets = {item.target: item for item in failure.data}
    folder = next((str(p) for p in (wanted, *wanted.parents) if str(p.parent) in _parents(targets)), path)
    last = {PurePosixPath(target).name: target for target in targets}
    near = nearest(PurePosixPath(folder).name, last)
    best = last[near] if near else None
    hint = f" (nearest: {best})" if best else ""
    words = f"no input is mounted at {folder}; the step's inputs are: {_inputs(failure)}{hint}"
    fix = f"give the step an input with `path: {folder}`" + (f", or read {best}" if best else "")
    return Finding(Kind.MISSING_FILE, words, fix)


def _parents(targets: dict[str, InputMount]) -> set[str]:
    usual = {"/opt/ml/processing/input", "/opt/ml/input/data", "/opt/ml/processing", "/opt/ml"}
    return usual | {str(PurePosixPath(target).parent) for target in targets}


def _inputs(failure: Failure) -> str:
    return ", ".join(f"'{item.name}' at {item.target}" for item in failure.data) or "none"


def _in_output(failure: Failure, path: str, *, writes: bool) -> Finding:
    output = next(output for output in failure.job.outputs if below(path, output.target))
    if writes:
        return _no_directory(failure, str(PurePosixPath(path).parent))
    words = f"'{path}' lies in output '{output.name}', which is empty when the script starts; nothing was written there"
    return Finding(Kind.MISSING_FILE, words, "read it from an input, or write it first")


def _no_directory(failure: Failure, path: str) -> Finding:
    output = next((output for output in failure.job.outputs if below(path, output.target)), None)
    where = f" in output '{output.name}'" if output is not None and path != output.target else ""
    words = f"the directory '{path}'{where} does not exist, so that no file can be written there"
    return Finding(Kind.MISSING_FILE, words, f"make it first: os.makedirs({path!r}, exist_ok=True)")


def _relative(failure: Failure, path: str, *, writes: bool) -> Finding:
    where = failure.job.working_dir or "the image's working directory"
    verb = "written to" if writes else "looked for in"
    words = f"'{path}' is a relative path, {verb} {where}; the step's inputs are: {_inputs(failure)}"
    for item in failure.data:
        best = _nearest(path, [name for name in failure.files(item.name) if not name.endswith("/")])
        if best is not None:
            return Finding(Kind.MISSING_FILE, words, f"read '{item.target.rstrip('/')}/{best}'")
    return Finding(Kind.MISSING_FILE, words)


def _program(failure: Failure, path: str) -> Finding:
    words = f"the script starts the program '{path}', which image '{failure.job.image}' does not have"
    return Finding(Kind.MISSING_FILE, words, "use an image that has it, or do it in Python")


def _read_only(failure: Failure, path: str | None) -> Finding:
    item = failure.input_of(path) if path else None
    if item is not None:
        words = f"input '{item.name}' is read-only here, and the script writes '{path}'"
        fix = "write `private: copy` for this input" if item.private == "read-only" else "write elsewhere"
        return Finding(Kind.PERMISSION, words, fix)
    return Finding(Kind.PERMISSION, f"the script writes {f'{path!r}' if path else 'a file'}, which is read-only there")
