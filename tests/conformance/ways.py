"""Ways to run a case that are not `execute`: on a small image made for it, by the command line, twice."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance.cases import SEEN, Ran, command_line, execute

Way = Callable[[Any, Path], Ran]
PROBE = "probe"
"""What the steps of a case call the image that was made for it."""
SHOW = SEEN + "tell(argv=sys.argv[1:], cwd=os.getcwd(), env=dict(os.environ), uid=os.getuid())\n"
"""A program for such an image."""


def on_image(
    *instructions: str, files: Mapping[str, str] | None = None, way: Way = execute, base: str = "python"
) -> Way:
    """Run a case whose steps name the image `probe`: `base` with these Dockerfile instructions, and with `files`
    (path below / -> content). The image is removed when the case has run."""

    def run(engine: Any, directory: Path) -> Ran:
        with small_image(instructions, files or {}, base) as reference:
            pipeline = directory / "pipeline.yaml"
            pipeline.write_text(f"{pipeline.read_text().rstrip()}\nimages: {{{PROBE}: '{reference}'}}\n")
            return way(engine, directory)

    return run


@contextmanager
def small_image(instructions: tuple[str, ...], files: Mapping[str, str], base: str = "python") -> Iterator[str]:
    from runner.engine import images
    from runner.engine.client import client

    images.ensure(base, lambda line: None)
    reference = f"run-pipeline-conformance:{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as context:
        for name, content in files.items():
            path = Path(context, "root", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        copy = ["COPY root /"] if files else []
        lines = [f"FROM {images.docker_reference(base)}", *copy, *instructions]
        Path(context, "Dockerfile").write_text("\n".join(lines) + "\n")
        docker = client()
        try:
            docker.images.build(path=context, tag=reference, rm=True, forcerm=True)
            yield reference
        finally:
            docker.images.remove(reference, force=True)
            docker.close()


def cli(*words: str) -> Way:
    """`run-pipeline WORDS` in the case's directory; `notices` are the lines of its stdout, then those of its stderr."""

    def run(_: Any, directory: Path) -> Ran:
        code, out, err = command_line(*words, cwd=directory)
        root = directory / "runs" / "latest"
        return Ran(root.resolve() if root.exists() else directory, code, (*out.splitlines(), *err.splitlines()))

    return run


def keeping_going(_: Any, directory: Path) -> Ran:
    """Every step, whatever the others do."""
    return cli("run", "-k", "pipeline.yaml")(None, directory)


def steps(default: Mapping[str, Any] | None = None, /, **named: Mapping[str, Any]) -> str:
    """A pipeline file of these steps, on the python image unless they name another. JSON, which YAML is too: every
    character of it means itself."""
    whole = {name: {**(default or {}), **step} for name, step in named.items()}
    return "image: python\nsteps: " + json.dumps(whole, ensure_ascii=False) + "\n"


def result(ran: Ran, step: str) -> dict[str, Any]:
    """As `Ran.result`, also of a step that never started."""
    results: list[dict[str, Any]] = json.loads((ran.root / "run.json").read_text())["results"]
    return next(found for found in results if found["step"] == step)


def nothing_started(ran: Ran) -> None:
    """Of a refused file: no run, no container."""
    assert not list(ran.root.glob("runs/*"))
