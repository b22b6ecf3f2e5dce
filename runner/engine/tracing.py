"""Whether a script can be traced, and what the agent needs for that. See `agent/trace.py` for how it is done."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.agent import tracer_archive
from runner.agent.words import interpreter_words, is_pip
from runner.engine.base import Image, Launch, StartMode
from runner.sagemaker.code import behind_installation
from runner.sagemaker.job import Code

OLDEST_PYTHON = (3, 8)
"""The first one with `sys.addaudithook`."""
WRAPPERS = frozenset({"/opt/ml/processing/input/entrypoint/runproc.sh"})
"""Shell scripts of the platform's, not of the user's: nobody looks at the environment of their shell."""
_PYTHON = re.compile(r"(.*/)?python(\d(\.\d+)?)?")
_CLOSING = "IES"
"""Options of Python's that make it ignore PYTHONPATH or sitecustomize."""


def obstacle(image: Image, words: Sequence[str]) -> str:
    """Why a script that is started with these words cannot be traced; empty when it can.

    The words behind an installation of packages count: it hands its environment on to the script.
    """
    if image.mode is StartMode.COLD:
        return "the image has no Python to watch it with"
    if _version(image.python_version) < OLDEST_PYTHON:
        return f"the image's Python is {image.python_version}, older than 3.8"
    words = list(behind_installation(words))
    if len(words) > 1 and words[1] in WRAPPERS:
        return ""
    if _PYTHON.fullmatch(words[0]) is None:
        return f"its entrypoint is {words[0]}, and not Python"
    if is_pip(words[1:]):
        return "it runs pip, which is not traced"
    letters, _, _ = interpreter_words(words[1:])
    closed = next((letter for letter in letters if letter in _CLOSING), None)
    return f"its interpreter is started with -{closed}, which keeps the tracer out" if closed else ""


def _version(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text or "")[:2])


def wanted(launch: Launch, words: Sequence[str]) -> dict[str, Any] | None:
    """The agent's part of the job; None when nothing shall be watched."""
    if not launch.trace:
        return None
    why = obstacle(launch.image, words)
    # What is no Python by its name may be a script of one, as an image's `serve` often is: the agent sees it.
    script = obstacle(launch.image, ("python",)) == "" and _PYTHON.fullmatch(words[0]) is None
    kept = [bound.target for bound in launch.inputs]
    kept += [bound.target for bound in (*launch.outputs, *launch.kept)]
    places = [*kept, *(bound.target for bound in launch.config)]
    data = {item.name for item in launch.job.inputs if not isinstance(item.source, Code)}
    return {
        "why": why,
        "script": bool(why) and script,
        "archive": "" if why and not script else base64.b64encode(tracer_archive(places)).decode(),
        "inputs": [[bound.name, bound.target] for bound in launch.inputs if bound.name in data],
        "places": places,
        "kept": kept,
    }


def told(launch: Launch, report: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What is known of what the script did; None when nobody was to look. Of one of several instances also `peers`:
    each one's address by its host name, its own among them."""
    if not launch.trace:
        return None
    if launch.image.mode is StartMode.COLD:
        return {"traced": False, "why": obstacle(launch.image, ())}
    if report is None:
        return {"traced": False, "why": "the container ended without the agent's report"}
    found = report.get("trace")
    if not isinstance(found, dict):
        return {"traced": False, "why": "the script did not run"}
    return {**found, "peers": dict(launch.peering.addresses)} if launch.peering is not None else found
