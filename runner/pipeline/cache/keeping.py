"""A step's result goes into the cache: its outputs and logs by link, then the entry that names them."""

from __future__ import annotations

import json

from runner.data.manifest import Entry, Manifest
from runner.pipeline.cache import entries, trees
from runner.pipeline.cache.entries import STREAMS, Kept, manifest_from
from runner.pipeline.cache.folder import Folder
from runner.pipeline.cache.key import Key
from runner.pipeline.cache.trees import Damaged
from runner.pipeline.integrity import sha256
from runner.pipeline.layout import StepLayout


def keep(place: Folder, run_id: str, key: Key, layout: StepLayout) -> None:
    """Of a step that has passed. Raises OSError, Damaged."""
    place.use(run_id, key.digest)
    workplace = place.workplace(run_id)
    try:
        result = json.loads(layout.result.read_bytes())
        if result["verdict"] != "passed":
            raise Damaged("its pass was taken back")
        outputs = json.loads(layout.outputs_manifest.read_bytes())["outputs"]
    except (ValueError, KeyError) as error:
        raise Damaged(f"the result cannot be read again: {error!r}") from error
    for name, document in outputs.items():
        trees.put(place.trees, workplace, manifest_from(document), layout.output(name))
    logs = _logs(layout)
    trees.put(place.trees, workplace, logs, layout.root)
    entries.write(place.entries, Kept(key.digest, result, run_id, outputs, logs))


def _logs(layout: StepLayout) -> Manifest:
    there = sorted(name for name in STREAMS if (layout.root / name).is_file())
    found = [(name, layout.root / name) for name in there]
    return Manifest(tuple(Entry(name, path.stat().st_size, sha256(path)) for name, path in found), ())
