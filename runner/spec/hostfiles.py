"""What a pipeline needs of the host's disk: scripts, source directories, input data."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from runner.errors import Problem
from runner.spec import archives, modules, transform
from runner.spec.document import shown
from runner.spec.draft import Draft
from runner.spec.fields import StepType
from runner.spec.models import StepSpec, host_path, script_path
from runner.spec.names import nearest_file


def problems(draft: Draft) -> Iterator[Problem]:
    """Whatever is missing, unreadable, empty or of the wrong kind."""
    for name, step in draft.spec.steps.items():
        faults = list(_code(draft.root, step))
        for field, message in faults:
            yield draft.problem(name, (field,), message)
        if not faults and name not in draft.damaged and _no_one_runs(step):
            message = f"'{step.script}' is not a Python file; say how to run it with 'entrypoint'"
            yield draft.problem(name, ("script",), message)
        for port, given in step.inputs.items():
            message = _data(draft, given.source) if given.source is not None else ""
            if not message and port == "model" and step.type is StepType.TRANSFORM:
                message = transform.model_fault(draft.root, step)
            if message:
                yield draft.problem(name, ("inputs", port), message, near=("source",))
            if given.expects is not None and given.expects.schema_ is not None:
                message = _schema(draft.root, given.expects.schema_)
                if message:
                    yield draft.problem(name, ("inputs", port, "expects", "schema"), message)


def _code(root: Path, step: StepSpec) -> Iterator[tuple[str, str]]:
    if step.source_dir is not None:
        source = host_path(root, step.source_dir)
        packed = archives.is_archive(step.source_dir)
        message = _fault(source, step.source_dir, stat.S_IFREG if packed else stat.S_IFDIR)
        if message:
            yield "source_dir", message
            return
        if packed:
            yield from _archived(source, step)
            return
        if step.module is not None and (message := modules.fault(step.module, step.source_dir, modules.Folder(source))):
            yield "module", message
    path = script_path(root, step)
    if path is None or step.script is None:
        return
    if step.source_dir is not None and not path.is_relative_to(host_path(root, step.source_dir)):
        yield "script", f"'{step.script}' does not lie inside source_dir '{step.source_dir}'"
        return
    message = _fault(path, step.script, stat.S_IFREG)
    if message:
        yield "script", message


def _archived(archive: Path, step: StepSpec) -> Iterator[tuple[str, str]]:
    """Code in an archive: whether it may be unpacked, and holds what is to run."""
    try:
        names = archives.files(archive)
    except archives.Unfit as error:
        yield "source_dir", f"the archive '{step.source_dir}' {error}"
        return
    except OSError as error:
        yield "source_dir", f"'{step.source_dir}' cannot be read: {error.strerror or error}"
        return
    if step.module is not None and (message := modules.fault(step.module, str(step.source_dir), names)):
        yield "module", message
    script = None if step.script is None else posixpath.normpath(step.script)
    if script is not None and script not in names:
        best = nearest_file(script, names)
        hint = f" (did you mean '{best}'?)" if best else ""
        yield "script", f"no file '{step.script}' in the archive '{step.source_dir}'{hint}; its files begin at its root"


def _no_one_runs(step: StepSpec) -> bool:
    """Whether the script is none that Python, the default, can run."""
    return step.script is not None and step.entrypoint is None and not step.script.endswith(".py")


def _data(draft: Draft, source: str) -> str:
    message = _fault(host_path(draft.root, source), source, None)
    if message and source.partition(".")[0] in draft.names:
        message += f"; to take another step's output write {{from: {source}}}"
    return message


def _schema(root: Path, schema: str) -> str:
    """Why the module of a pandera schema cannot be had, or an empty text. It is looked for, not imported."""
    top = schema.partition(":")[0].partition(".")[0]
    if PathFinder.find_spec(top, [str(root), *sys.path]) is not None:
        return ""
    return f"no module '{top}'{_near(root / f'{top}.py', f'{top}.py')} beside the pipeline file, nor installed here"


def _fault(path: Path, written: str, kind: int | None) -> str:
    """Why `path` cannot be used, or an empty text. `kind`: S_IFDIR, S_IFREG, or None for either."""
    if scheme := _URL.match(written):
        kind = stat.S_IFDIR if archives.is_archive(written) and kind else kind
        where = "S3" if scheme[1].lower() == "s3" else "URL"
        what = f"{where} inputs are" if kind is None else f"code from {'S3' if where == 'S3' else 'a URL'} is"
        return f"'{written}': {what} not supported yet; give a local {_NAMES.get(kind, 'file or directory')}"
    try:
        mode = path.stat().st_mode
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            return f"'{written}' is neither a file nor a directory"
        if kind is not None and stat.S_IFMT(mode) != kind:
            return f"'{written}' is {'a directory' if stat.S_ISDIR(mode) else 'a file'}, not a {_NAMES[kind]}"
        if not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
            return f"'{written}' may not be read by this user"
        if kind is None and stat.S_ISDIR(mode) and not _has_content(path):
            what = "has nothing but empty directories" if any(path.iterdir()) else "is empty"
            return f"the directory '{written}' {what}; SageMaker fails on an input without files"
    except FileNotFoundError:
        what = _NAMES.get(kind, "file or directory")
        return f"no {what} '{written}'{_near(path, written)} (looked for {shown(path)})"
    except (OSError, RuntimeError) as error:
        return f"'{written}' cannot be used: {error.strerror if isinstance(error, OSError) else error}"
    return ""


def _has_content(directory: Path) -> bool:
    """Whether there is anything below that is no directory, which S3 does not have; what may not be read may hold it.
    Raises OSError for `directory` itself."""
    pending = [*directory.iterdir()]
    while pending:
        path = pending.pop()
        if path.is_symlink() or not path.is_dir():
            return True
        try:
            pending += path.iterdir()
        except PermissionError:
            return True
    return False


_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_NAMES: dict[int | None, str] = {stat.S_IFDIR: "directory", stat.S_IFREG: "file"}


def _near(path: Path, written: str) -> str:
    """A name beside the missing one that looks like it, as the person would write it."""
    try:
        best = nearest_file(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
    return f" (did you mean '{Path(written).with_name(best)}'?)" if best else ""
