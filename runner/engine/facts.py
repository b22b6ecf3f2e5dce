"""What Docker tells about itself and about an image, as our values. Pure."""

from __future__ import annotations

from typing import Any

from runner.engine.base import EngineInfo, Image
from runner.engine.client import Endpoint
from runner.engine.probe import Probe


def engine_info(raw: dict[str, Any], api_version: str, where: Endpoint) -> EngineInfo:
    """`raw`: the answer of `/info`."""
    return EngineInfo(
        name="docker",
        version=str(raw["ServerVersion"]),
        api_version=api_version,
        engine_id=str(raw["ID"]),
        os=str(raw["OperatingSystem"]),
        architecture=str(raw["Architecture"]),
        cpus=int(raw["NCPU"]),
        memory=int(raw["MemTotal"]),
        rootless=any("name=rootless" in option for option in raw.get("SecurityOptions") or ()),
        endpoint=where.url,
        context=where.origin,
    )


def image_of(reference: str, raw: dict[str, Any], found: Probe) -> Image:
    """`raw`: the answer of `/images/NAME/json`; `found`: what a look into it has shown."""
    config = raw.get("Config") or {}
    pairs = (entry.partition("=") for entry in config.get("Env") or ())
    return Image(
        reference=reference,
        id=str(raw["Id"]),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        cmd=tuple(config.get("Cmd") or ()),
        env=tuple((key, value) for key, _, value in pairs),
        user=str(config.get("User") or ""),
        working_dir=str(config.get("WorkingDir") or ""),
        python=found.python,
        python_version=found.version,
        mode=found.mode,
        programs=found.programs,
    )
