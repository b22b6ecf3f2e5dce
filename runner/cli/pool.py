"""`warm` and `pool`: the containers that stand ready between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.cli.options import command, file_argument, json_option, runs_dir_option, selection_options, specs_option
from runner.cli.output import note, say, say_json
from runner.errors import EXIT_ENVIRONMENT, EXIT_PASSED, UsageError


@command("run-pipeline warm pipeline.yaml\nrun-pipeline warm pipeline.yaml --only Train")
@file_argument
@selection_options
@json_option
@runs_dir_option
@specs_option
def warm(file: Path, as_json: bool, runs_dir: Path, **choice: Any) -> int:
    """Have a container stand ready for each step of FILE, with its libraries imported, and wait until they do.

    A run takes them; each is used once, and after a run new ones are made. They end by themselves when they are not
    used for $RUN_PIPELINE_POOL_TTL seconds (600), or when `clean` is asked for; together they take no more than
    $RUN_PIPELINE_POOL_MEMORY mebibytes (2048, and a quarter of the machine's memory at most).
    """
    from runner.cli.request import Request
    from runner.cli.session import open_engine, provide_images
    from runner.cli.warmth import start_keeper
    from runner.engine.pool import channel
    from runner.pipeline.warming import launches

    if not channel.wanted():
        raise UsageError(f"{channel.VARIABLE} is off, so nothing is kept ready", remedy=f"unset {channel.VARIABLE}")
    plan = Request(file, **choice).plan()
    with open_engine(warm=True) as engine:
        present = provide_images(engine, plan, quiet=False)
        share, engine_id = engine.share, engine.info().engine_id
        assert share is not None  # noqa: S101  it was opened with one
        launches(plan, engine, runs_dir, present, lambda launch: share.wish_for(launch, engine_id))
        found = share.stock(start_keeper, wait=True)
    if found is None:
        note(
            "no containers are kept: no step can be started ahead of its data here, or no keeper could be started "
            f"(see keeper.log in {channel.directory()})"
        )
        return EXIT_ENVIRONMENT
    _tell(found, as_json=as_json)
    return EXIT_ENVIRONMENT if found["note"] else EXIT_PASSED


@command("run-pipeline pool\nrun-pipeline pool --json")
@json_option
def pool(as_json: bool) -> int:
    """Show the containers that stand ready for a next run: step, image, early imports, age, memory.

    `run-pipeline clean` ends them.
    """
    from runner.engine.pool import channel
    from runner.engine.pool.link import Link

    found: dict[str, Any] = {"ready": [], "coming": [], "note": ""}
    for path in channel.socket_paths():
        link = Link.open(path)
        status = link.status() if link is not None else None
        if link is not None and status is not None:
            link.close()
            whole = {name: [*found[name], *status[name]] for name in ("ready", "coming")}
            found = {**status, **whole, "note": found["note"] or status["note"]}
    _tell(found, as_json=as_json)
    return EXIT_PASSED


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    from runner.report.pool import document, text

    memory = _memory([each["id"] for each in found["ready"]])
    if as_json:
        say_json(document(found, memory))
    else:
        say(text(found, memory))


def _memory(containers: list[str]) -> dict[str, int]:
    """Bytes by container, as far as the engine tells."""
    if not containers:
        return {}
    from docker.errors import APIError
    from requests.exceptions import RequestException

    from runner.engine.client import client
    from runner.engine.pool.children import usage
    from runner.errors import EnvironmentFault

    try:
        api = client().api
        return {container: usage(api, container) for container in containers}
    except (EnvironmentFault, APIError, RequestException) as error:
        note(f"how much memory they take is not known: {error}")
        return {}
