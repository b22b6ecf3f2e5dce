"""The key of a step's result: everything that its script can see, in parts that can be named.

Not in it, since no script sees it or it changes no result: run id, host paths, the step's position, trace, time-outs,
other steps' durations, and the times of files. What may carry a secret is in it as a keyed hash only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner import __version__
from runner.data.digests import Seen
from runner.engine.base import Image
from runner.pipeline.plan import PlannedStep
from runner.pipeline.records import plain
from runner.sagemaker.job import CodeText, HostData, InputMount, SentCode

FORMAT = 1
"""Of keys and of all that is kept: other versions are misses."""
CONTRACT = 1
"""To be raised when the same job, image and data may give another result in this version than before."""
NOT_IN_KEY = frozenset({"step", "image", "members", "checkpoints", "preimport"})
"""Fields of ContainerJob that are no part by themselves: names for people, or told by another part."""
_FILES = 1000
"""A source directory with more files is compared as a whole only."""

Parts = dict[str, Any]
"""By name of the part: what it is, as JSON."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read for a key."""

    host: Mapping[str, Seen]
    """By input: data of the user's."""
    steps: Mapping[str, str]
    """By input: the digest of another step's published output."""
    code: Seen | None = None
    packages: str | None = None
    """The exact `requirements.txt` of what was collected for the step."""

    @property
    def states(self) -> dict[str, str]:
        return {name: seen.state for name, seen in self.host.items()}


@dataclass(frozen=True, slots=True)
class Key:
    digest: str
    """64 hexadecimal digits."""
    parts: Parts


def key_of(planned: PlannedStep, image: Image, contents: Contents, secret: bytes) -> Key:
    """Pure. Each part is hashed by itself, and the key is the hash of these."""
    parts = _parts(planned, image, contents, secret)
    digests = {name: hashlib.sha256(_canonical(part)).hexdigest() for name, part in parts.items()}
    return Key(hashlib.sha256(_canonical(digests)).hexdigest(), parts)


def _parts(planned: PlannedStep, image: Image, contents: Contents, secret: bytes) -> Parts:
    job = planned.job
    ignored = frozenset(planned.caching.ignore_env if planned.caching is not None else ())
    limits = job.limits
    return {
        "version": [FORMAT, CONTRACT, __version__],
        "type": job.step_type,
        "image": image.id,
        "entrypoint": plain(job.entrypoint),
        "arguments": plain(job.arguments),
        "working directory": job.working_dir,
        "env": _env(job.env, ignored, secret),
        "configuration": {each.target: _sealed(secret, _without(each.content, ignored)) for each in job.config},
        "exit message": job.exit_message,
        "code": _code(contents.code),
        "inputs": {each.name: _input(each, contents) for each in job.inputs},
        "outputs": {each.name: [each.target, each.archive, each.allow_empty] for each in job.outputs},
        "resources": {"cpus": limits.cpus, "memory": limits.memory, "shm_size": limits.shm_size, "pids": limits.pids},
        "network": [job.network, job.credentials, job.checkpoints is not None],
        "hostname": job.hostname,
        "instances": [job.instance_type, job.instance_count],
        "hosts": {each.hostname: _host(each.env, each.config, ignored, secret) for each in job.members},
        "transform": plain(job.transform),
        "packages": [job.requirements, contents.packages],
        "expectations": {
            each.input: each.expects.model_dump(mode="json", by_alias=True, exclude_unset=True)
            for each in planned.expected
        },
    }


def uncacheable(planned: PlannedStep) -> str:
    """Why a step's result is not to be used again; empty when it may be."""
    job, said = planned.job, planned.caching.enabled if planned.caching is not None else None
    if said is not None:
        return "" if said else "the step says `cache: false`"
    if job.network != "none":
        return f"`network: {job.network}`: what it reaches there may change; `cache: true` overrides this"
    if job.credentials != "none":
        return "`credentials`: what they give access to may change; `cache: true` overrides this"
    if job.checkpoints is not None:
        return "`checkpoints` go on from the last attempt; `cache: true` overrides this"
    if any(each.expects.schema_ for each in planned.expected):
        return "`expects.schema` is code whose imports are not known; `cache: true` overrides this"
    return ""


def _env(pairs: tuple[tuple[str, str], ...], ignored: frozenset[str], secret: bytes) -> dict[str, str]:
    """An ignored variable counts as there, with any value."""
    return {name: "ignored" if name in ignored else _sealed(secret, value) for name, value in pairs}


def _host(env: Any, config: Any, ignored: frozenset[str], secret: bytes) -> dict[str, Any]:
    return {
        "env": _env(env, ignored, secret),
        "configuration": {each.target: _sealed(secret, _without(each.content, ignored)) for each in config},
    }


def _without(content: str, ignored: frozenset[str]) -> str:
    """A configuration file without the values of ignored variables, which SageMaker repeats there."""
    if not ignored:
        return content
    try:
        document = json.loads(content)
    except ValueError:
        return content
    repeated = document.get("Environment") if isinstance(document, dict) else None
    if not isinstance(repeated, dict):
        return content
    document["Environment"] = {name: None if name in ignored else value for name, value in repeated.items()}
    return json.dumps(document)


def _input(item: InputMount, contents: Contents) -> dict[str, Any]:
    facts: dict[str, Any] = {"target": item.target, "private": item.private, "sharded": item.sharded}
    source = item.source
    if isinstance(source, HostData):
        return {**facts, "content": contents.host[item.name].digest}
    if isinstance(source, CodeText):
        text = f"{source.name}\0{source.content}".encode("utf-8", "surrogateescape")
        return {**facts, "content": hashlib.sha256(text).hexdigest()}
    if isinstance(source, SentCode):
        return {**facts, "content": type(source).__name__}  # told by the part `code`
    return {**facts, "content": contents.steps[item.name]}


def _code(seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"content": seen.digest, "files": seen.files if len(seen.files) <= _FILES else {}}


def _sealed(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
