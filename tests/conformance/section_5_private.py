"""Private writable inputs: a hostile consumer changes nothing of what its producer, or the user, gave it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.cases import Case, Ran, execute
from engine.hostile import ATTACK, GUEST, PRODUCE, REFUSED, snapshot

from runner.data.manifest import scan
from runner.engine.base import Image, StartMode

POINT = "1.path.inputs-private"
DATA = "/opt/ml/processing/input/data"
HOST = "host data, and: more"
PIPELINE = f"""
name: private
image: python
steps:
  producer:
    script: produce.py
    args: [/opt/ml/processing/output/out]
    outputs: [out]
  first: &consumer
    script: consume.py
    args: [{DATA}]
    inputs: {{data: {{from: producer.out, private: WISH}}}}
  second: *consumer
  next:
    script: consume.py
    args: [{DATA}]
    inputs: {{data: {{from: producer.out, private: WISH}}}}
    depends_on: [first, second]
  host:
    script: consume.py
    args: [{DATA}]
    inputs: {{data: {{source: "{HOST}", private: WISH}}}}
"""
"""Two consumers at once, one after them, and one of a directory of the user's."""
CONSUMERS = ("first", "second", "next", "host")


class Forced:
    """The engine, but every image starts in one mode, and as one user."""

    def __init__(self, engine: Any, mode: StartMode | None, user: str | None) -> None:
        self._engine = engine
        self._mode = mode
        self._user = user

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def image(self, reference: str) -> Image:
        found: Image = self._engine.image(reference)
        return dataclasses.replace(found, mode=self._mode or found.mode, user=self._user or found.user)


def _produce(directory: Path) -> Path:
    """A directory of the user's."""
    host = directory / HOST
    host.mkdir()
    subprocess.run([sys.executable, "-c", PRODUCE, host], check=True)
    return host


def attacked(*, mode: StartMode | None = None, user: str | None = None) -> Callable[[Any, Path], Ran]:
    """Run the case on a directory of the user's, and look whether it is as it was."""

    def run(engine: Any, directory: Path) -> Ran:
        host = _produce(directory)
        before = snapshot(host)
        ran = execute(Forced(engine, mode, user), directory)
        assert snapshot(host) == before
        return ran

    return run


def inputs(ran: Ran, step: str) -> dict[str, str]:
    document = json.loads((ran.root / "steps" / step / "inputs.json").read_text())
    return {item["name"]: item["private"] for item in document["inputs"]}


def _untouched(said: bytes, *ways: str, mode: StartMode | None = None) -> Callable[[Ran], None]:
    def check(ran: Ran) -> None:
        published = json.loads((ran.root / "steps/producer/outputs.json").read_text())
        output = ran.output("producer")
        assert scan(output).digest == published["outputs"]["out"]["digest"]
        for path in output.rglob("*"):  # as the producer left them, with the modes that publication gives
            status = path.stat()
            assert status.st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644)
            assert path.is_dir() or status.st_mtime_ns == 10**18 + 123456789
        for step in CONSUMERS:
            assert ran.stream(step=step) == said
            assert inputs(ran, step)["data"] in ways
            assert ran.result(step)["warnings"] == []
            assert mode is None or ran.result(step)["mode"] == str(mode)
            assert not (ran.root / "steps" / step / "scratch").exists()

    return check


def _case(
    what: str, consumer: str, said: bytes, *ways: str, wish: str = "overlay", mode: StartMode | None = None,
    user: str | None = None,
) -> Case:  # fmt: skip
    return Case(
        name=f"{POINT}.{what}",
        points=(POINT,),
        pipeline=PIPELINE.replace("WISH", wish),
        files={"produce.py": PRODUCE, "consume.py": consumer},
        run=attacked(mode=mode, user=user),
        check=_untouched(said, *ways, mode=mode),
    )


def _killed(engine: Any, directory: Path) -> Ran:
    """SIGKILL to the whole command while the consumer writes."""
    program = Path(sys.executable).with_name("run-pipeline")
    host = _produce(directory)
    before = snapshot(host)
    process = subprocess.Popen([program, "run", "pipeline.yaml", "-v"], cwd=directory, stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = b""
    while not (b"first" in line and b"attacked" in line):
        line = process.stdout.readline()
        assert line, "the run ended by itself"
    process.kill()
    process.communicate()
    subprocess.run([program, "clean"], cwd=directory, check=True, capture_output=True)
    assert snapshot(host) == before
    root = (directory / "runs" / "latest").resolve()
    assert engine.leftovers(root.name) == []
    return Ran(root, 0, ())


def _still_published(ran: Ran) -> None:
    published = json.loads((ran.root / "steps/producer/outputs.json").read_text())
    assert scan(ran.output("producer")).digest == published["outputs"]["out"]["digest"]
    assert not (ran.root / "steps/first/result.json").exists()


def _shown(_: Any, directory: Path) -> Ran:
    """`plan` says how each input will be made private, and so does its JSON."""
    program = Path(sys.executable).with_name("run-pipeline")
    words = [program, "plan", "pipeline.yaml"]
    text = subprocess.run(words, cwd=directory, check=True, capture_output=True, text=True).stdout
    assert text.count("producer.out, private by copy") == 3
    assert text.count("consume.py, private by overlay") == 4
    done = subprocess.run([*words, "--json"], cwd=directory, check=True, capture_output=True)
    steps = {step["job"]["step"]: step["job"] for step in json.loads(done.stdout)["steps"]}
    assert [item["private"] for item in steps["first"]["inputs"]] == ["copy", "overlay"]
    return Ran(directory, 0, ())


CASES = [
    *(
        _case(f"{mode}.{wish}", ATTACK, b"attacked\n", *ways, wish=wish, mode=mode)
        for mode in (StartMode.STAGED, StartMode.PLAIN, StartMode.COLD)
        for wish, ways in (("overlay", ("overlay",)), ("copy", ("copy", "reflink")))
    ),
    *(
        _case(f"{mode}.read-only", REFUSED, b"refused\n", "read-only", wish="read-only", mode=mode)
        for mode in (StartMode.STAGED, StartMode.PLAIN, StartMode.COLD)
    ),
    _case("user", GUEST, b"attacked\n", "overlay", user="nobody"),
    Case(
        name=f"{POINT}.killed",
        points=(POINT,),
        pipeline=PIPELINE.replace("WISH", "overlay"),
        files={"produce.py": PRODUCE, "consume.py": ATTACK + "\nwhile True: write('a', b'x' * 65536, 'ab')\n"},
        run=_killed,
        check=_still_published,
    ),
    Case(
        name=f"{POINT}.plan",
        points=(POINT,),
        pipeline=PIPELINE.replace("WISH", "copy"),
        files={"produce.py": PRODUCE, "consume.py": ATTACK, f"{HOST}/f": "x"},
        run=_shown,
        check=lambda _: None,
    ),
]
