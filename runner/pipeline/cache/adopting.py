"""A hit becomes the result of a step of this run: its directory, as if it had run, but for what only a container has.

Nothing here is flushed to the disk one by one: what a power cut takes from it is still in the cache, or run again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.data.files import json_bytes
from runner.data.manifest import named
from runner.data.materialise import code_file, code_tree
from runner.data.unpack import unpack
from runner.errors import WorkspaceError
from runner.pipeline.binding import job_document
from runner.pipeline.cache import entries, trees
from runner.pipeline.cache.entries import Kept
from runner.pipeline.cache.folder import Folder
from runner.pipeline.cache.key import Key
from runner.pipeline.cache.reading import copied_code
from runner.pipeline.cache.trees import Damaged
from runner.pipeline.events import Cached, StepResult, StepState
from runner.pipeline.layout import StepLayout
from runner.pipeline.materials import Sources
from runner.pipeline.plan import PlannedStep
from runner.pipeline.records import SCHEMA, plain, result_from
from runner.pipeline.rundir import now
from runner.sagemaker.job import CodeFile, SentCode, StepData
from runner.spec.archives import is_archive

PUBLISHED, PUBLISHED_FOLDER = 0o644, 0o755


@dataclass(frozen=True, slots=True)
class Hit:
    """A result of an earlier run that is that of this step."""

    planned: PlannedStep
    image_id: str
    key: Key
    kept: Kept


def adopt(hit: Hit, folder: Folder, sources: Sources) -> StepResult:
    """Make the step's directory. Raises Damaged when the kept files are not what they were, OSError, WorkspaceError."""
    layout = sources.run.layout.step(hit.planned.name)
    layout.root.mkdir()
    _take_code(hit.planned, layout, sources)
    code = copied_code(hit.planned.job, layout)
    if code is not None and code != hit.key.parts["code"]["content"]:
        raise WorkspaceError("its code changed after the cache was asked for it")
    layout.job.write_bytes(json_bytes(job_document(hit.planned, hit.planned.job, hit.image_id)))
    layout.inputs_manifest.write_bytes(json_bytes(_inputs(hit.planned, sources)))
    draft = layout.outputs.with_name(f"{layout.outputs.name}.part")
    draft.mkdir()
    manifests = hit.kept.manifests()
    for name, manifest in manifests.items():
        (draft / name).mkdir()
        (draft / name).chmod(PUBLISHED_FOLDER)
        trees.take(folder.trees, manifest, draft / name, mode=PUBLISHED)
    trees.take(folder.trees, hit.kept.logs, layout.root)
    layout.outputs_manifest.write_bytes(json_bytes({"schema_version": SCHEMA, "outputs": hit.kept.outputs}))
    draft.rename(layout.outputs)
    result = _result(hit, {name: manifest.summary() for name, manifest in manifests.items()})
    _write_whole(layout.result, {"schema_version": SCHEMA, **plain(result)})
    entries.used(folder.entries, hit.key.digest)
    return result


def _result(hit: Hit, outputs: dict[str, dict[str, object]]) -> StepResult:
    """What the first run said of the script holds; what it said of its container does not."""
    try:
        was = result_from(hit.kept.result)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"the result in an entry cannot be read: {error!r}") from error
    if was.state is not StepState.PASSED:
        raise Damaged(f"an entry holds a step that is '{was.state}'")
    step = hit.planned.name
    return replace(
        was,
        step=step,
        started_at=None,
        finished_at=now(),
        seconds=0.0,
        image=hit.planned.job.image,
        image_id=hit.image_id,
        container_id="",
        mode="",
        outputs={name: {"path": f"steps/{step}/outputs/{name}", **facts} for name, facts in outputs.items()},
        directory=f"steps/{step}",
        warnings=tuple(dict.fromkeys((*hit.planned.warnings, *was.warnings))),
        cached=Cached(
            run=hit.kept.run_id,
            step=was.step,
            at=was.finished_at or was.started_at or "",
            seconds=was.seconds,
            key=hit.key.digest,
        ),
    )


def _take_code(planned: PlannedStep, layout: StepLayout, sources: Sources) -> None:
    """So that later runs can tell what has changed since."""
    for item in planned.job.inputs:
        if not isinstance(item.source, SentCode):
            continue
        path = Path(item.source.path)
        if isinstance(item.source, CodeFile):
            code_file(path, layout.code)
        elif is_archive(path.name):
            unpack(path, layout.code)
        else:
            code_tree(path, layout.code, leave_out=sources.run.runs_dir)


def _inputs(planned: PlannedStep, sources: Sources) -> dict[str, Any]:
    found = []
    for item in planned.job.inputs:
        taken: dict[str, Any] = {"name": item.name, "target": item.target, "source": plain(item.source)}
        if isinstance(item.source, StepData):
            taken |= {"host": named(str(sources.place(item.source))), **sources.origin(item.source)}
        found.append({**taken, "private": None})
    return {"schema_version": SCHEMA, "inputs": found}


def _write_whole(path: Path, document: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(json_bytes(document))
    draft.replace(path)
