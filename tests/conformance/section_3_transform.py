"""3: hosting and batch transform. The server is `serve.py`, which tells what it sees and does wrong what it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance import serving_image
from conformance.cases import Case, Ran, execute
from conformance.ways import PROBE, cli, nothing_started, on_image

ROWS = "a,1\nb,2\nc,3\n"
TRAIN = """
  Train:
    type: training
    image: python
    script: train.py
"""
TRAIN_PY = """
open("/opt/ml/model/weights.txt", "w").write("w")
import os; os.mkdir("/opt/ml/model/code"); open("/opt/ml/model/code/inference.py", "w").write("pass")
"""


MAKE = """
  Make:
    image: python
    script: make.py
    outputs: [model]
"""
MAKE_PY = 'open("/opt/ml/processing/output/model/model.tar.gz", "w").write("no archive")'


def _step(text: str = "", **env: object) -> str:
    given = "".join(f", {key}: '{value}'" for key, value in env.items())
    return f"""
name: conformance
steps:
  s:
    type: transform
    image: {serving_image.TAG}
    inputs: {{data: {{source: data, content_type: text/csv}}}}
    env: {{OWN: 'a$b'{given}}}
{text}
"""


def _run(engine: Any, directory: Path) -> Ran:
    serving_image.ensure()
    return execute(engine, directory)


def _told(ran: Ran) -> list[dict[str, Any]]:
    """The lines that the server printed."""
    return [json.loads(line) for line in ran.stream().decode().splitlines()]


def _invocations(ran: Ran) -> list[dict[str, Any]]:
    return [line for line in _told(ran) if "path" in line]


def _answers(ran: Ran, name: str = "rows.csv") -> str:
    return (ran.output("s", "output") / f"{name}.out").read_text()


def _case(
    name: str,
    points: tuple[str, ...],
    pipeline: str,
    check: Callable[[Ran], None],
    files: Mapping[str, str | bytes] | None = None,
    exit_code: int = 0,
) -> Case:
    found = {"data/rows.csv": ROWS} if files is None else files
    return Case(name=name, points=points, pipeline=pipeline, check=check, files=found, exit_code=exit_code, run=_run)


def _failed(verdict: str, *words: str) -> Callable[[Ran], None]:
    def check(ran: Ran) -> None:
        result = ran.result()
        assert result["verdict"] == verdict, result
        for word in words:
            assert word in result["reason"], result["reason"]
        assert not (ran.root / "steps" / "s" / "outputs").exists()

    return check


# -- the server


def _serves(ran: Ran) -> None:
    first = _told(ran)[0]
    assert first["argv"] == []  # the image has no ENTRYPOINT: `serve` itself is the program
    assert "transform" not in first["root"]  # neither the data nor the output is the server's
    assert _answers(ran) == "A,1\nB,2\nC,3\n"
    assert [line["signal"] for line in _told(ran) if "signal" in line] == [15]


def _environment(ran: Ran) -> None:
    env = _told(ran)[0]["env"]
    assert env["OWN"] == "a$b"
    assert {key: value for key, value in env.items() if key.startswith("SAGEMAKER_")} == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "3",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
    }


def _environment_alone(ran: Ran) -> None:
    """What the request does not name is not set, and the server's own parameters count."""
    env = _told(ran)[0]["env"]
    assert [key for key in env if key.startswith("SAGEMAKER_")] == ["SAGEMAKER_BATCH"]
    assert [each["size"] for each in _invocations(ran)] == [4, 4, 4]


def _unpacked(ran: Ran) -> None:
    published = ran.output("Train", "model")
    assert [path.name for path in published.iterdir()] == ["model.tar.gz"]
    assert _told(ran)[0]["model"] == {"weights.txt": "w", "code/inference.py": "pass"}


def _no_serve(ran: Ran) -> None:
    assert any("steps.s.image: the step needs a program `serve`, and its image 'python'" in n for n in ran.notices)
    nothing_started(ran)


def _refused(ran: Ran) -> None:
    """A model of the host's: before anything starts."""
    assert any("steps.s.inputs.model: 'm/model.tar.gz': model.tar.gz cannot" in notice for notice in ran.notices)
    nothing_started(ran)


SERVER = [
    _case("3.serve", ("3.serve",), _step(), _serves),
    _case(
        "3.environment",
        ("3.environment",),
        _step("    transform: {strategy: SingleRecord, split: Line, max_payload: 3, max_concurrent: 2}"),
        _environment,
    ),
    _case(
        "3.environment.open",
        ("3.environment", "3.strategy.single"),
        _step(
            "    transform: {split: Line}",
            PARAMETERS='{"MaxConcurrentTransforms": 1, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 6}',
        ),
        _environment_alone,
    ),
    _case(
        "2.consumer.transform",
        ("2.consumer.transform",),
        _step().replace("steps:", f"steps:{TRAIN}").replace("inputs: {", "inputs: {model: {from: Train.model}, "),
        _unpacked,
        {"data/rows.csv": ROWS, "train.py": TRAIN_PY},
    ),
    _case(
        "3.model.damaged",
        ("2.consumer.transform",),
        _step().replace("steps:", f"steps:{MAKE}").replace("inputs: {", "inputs: {model: {from: Make.model}, "),
        _failed("transform", "model.tar.gz cannot be unpacked"),
        {"data/rows.csv": ROWS, "make.py": MAKE_PY},
        exit_code=1,
    ),
    replace(
        _case("3.serve.missing", ("3.serve",), _step().replace(serving_image.TAG, "python"), _no_serve, exit_code=2),
        run=cli("run", "pipeline.yaml"),
    ),
    replace(
        _case(
            "3.model.refused",
            ("2.consumer.transform",),
            _step().replace("inputs: {", "inputs: {model: m/model.tar.gz, "),
            _refused,
            {"data/rows.csv": ROWS, "m/model.tar.gz": b"no archive"},
            exit_code=2,
        ),
        run=cli("run", "pipeline.yaml"),
    ),
]


# -- health, invocations, the end


def _retried(ran: Ran) -> None:
    assert len(_invocations(ran)) == 3
    assert ran.result()["reason"] == "1 request answered, of 1 record in 1 file"


def _killed(ran: Ran) -> None:
    result = ran.result()
    assert (result["verdict"], result["exit_code"]) == ("passed", 0)
    assert [line["signal"] for line in _told(ran) if "signal" in line] == [15]
    assert 1.0 <= result["seconds"] < 20


def _default_grace(ran: Ran) -> None:
    job = json.loads((ran.root / "steps" / "s" / "job.json").read_text())
    assert job["limits"]["grace"] == 30.0
    assert job["transform"]["ping_timeout"] == 240.0


def _timed_out(ran: Ran) -> None:
    _failed("timeout", "time-out of 2 s")(ran)
    assert ran.result()["seconds"] < 15


def _stopped(engine: Any, directory: Path) -> Ran:
    """A run that is cancelled while a request is under way."""
    import threading

    from runner.pipeline.execute import Run
    from runner.pipeline.plan import make_plan
    from runner.pipeline.select import select
    from runner.spec import load

    serving_image.ensure()
    pipeline = load(directory / "pipeline.yaml")
    run = Run(make_plan(pipeline, select(pipeline.spec)), engine, runs_dir=directory / "runs")

    def cancel() -> None:
        log = directory / "runs" / "latest" / "steps" / "s" / "stdout"
        until = time.monotonic() + 60
        while time.monotonic() < until and not (log.exists() and b"/invocations" in log.read_bytes()):
            time.sleep(0.05)
        run.cancel(15)

    threading.Thread(target=cancel).start()
    finished = run.execute()
    assert not engine.leftovers(finished.run_id)
    return Ran((directory / "runs" / "latest").resolve(), finished.exit_code, ())


HEALTH = [
    _case(
        "3.ping.never",
        ("3.ping",),
        _step("    transform: {ping_timeout: 3}", PING=503),
        _failed("transform", "GET /ping did not answer 200 within 3 s: it answered 503"),
        exit_code=1,
    ),
    _case(
        "3.ping.loopback",
        ("3.ping",),
        _step("    transform: {ping_timeout: 3}", BIND="127.0.0.1"),
        _failed("transform", "listens on 127.0.0.1 only"),
        exit_code=1,
    ),
    _case("3.ping.default", ("3.ping", "3.stop"), _step(), _default_grace),
    _case(
        "3.invocations.status",
        ("3.invocations",),
        _step("    transform: {max_retries: 1}", ANSWER=500),
        _failed("transform", "was answered with 500 (tried 2 times): this model will not answer"),
        exit_code=1,
    ),
    _case(
        "3.invocations.refused",
        ("3.invocations",),
        _step(ANSWER=415),
        _failed("transform", "(rows.csv) was answered with 415: this model will not answer"),
        exit_code=1,
    ),
    _case("3.invocations.retried", ("3.invocations",), _step(FLAKY=2), _retried),
    _case(
        "3.invocations.slow",
        ("3.invocations",),
        _step("    transform: {invocation_timeout: 1, max_retries: 0}\n    stop_grace: 1", SLOW=30),
        _failed("transform", "(rows.csv) took longer than 1 s"),
        exit_code=1,
    ),
    _case(
        "3.server.dies",
        ("3.serve", "3.invocations"),
        _step(DIE=7),
        _failed("exit", "the server ended before all was answered: exit 7"),
        exit_code=1,
    ),
    _case(
        "3.server.ends-early",
        ("3.serve",),
        _step(EARLY=0),
        _failed("exit", "the server ended before all was answered: exit 0"),
        exit_code=1,
    ),
    _case(
        "3.server.memory",
        ("3.serve",),
        _step("    resources: {memory: 64m}", EAT=1),
        _failed("oom", "killed for memory"),
        exit_code=1,
    ),
    _case("3.stop.ignored", ("3.stop",), _step("    stop_grace: 1", IGNORE=1), _killed),
    _case("3.stop.runtime", ("3.stop",), _step("    timeout: 2\n    stop_grace: 1", SLOW=60), _timed_out, exit_code=1),
    replace(
        _case(
            "3.stop.cancelled",
            ("3.stop", "K"),
            _step(SLOW=60),
            _failed("cancelled", "the run was cancelled"),
            exit_code=143,
        ),
        run=_stopped,
    ),
]


# -- the data


def _single(ran: Ran) -> None:
    assert [each["start"] for each in _invocations(ran)] == ["a,1\n", "b,2\n", "c,3"]
    assert {each["Content-Type"] for each in _invocations(ran)} == {"text/csv"}
    assert {each["Accept"] for each in _invocations(ran)} == {"text/plain"}
    assert _answers(ran) == "A,1\nB,2\nC,3"


def _multi(ran: Ran) -> None:
    megabyte = 1024 * 1024
    sizes = [each["size"] for each in _invocations(ran)]
    assert max(sizes) <= megabyte
    assert sum(sizes) == 3 * 400_000 + 3 * 400_000
    assert [each["lines"] for each in _invocations(ran)] == [2, 2, 2]
    assert all(each["start"].startswith("x") for each in _invocations(ran)), "a record was cut in two"
    assert _answers(ran) == ("X" * 399_999 + "\n") * 6


def _assembled(ran: Ran) -> None:
    output = ran.output("s", "output")
    found = {str(path.relative_to(output)): path.read_text() for path in output.rglob("*") if path.is_file()}
    assert found == {"a.csv.out": "SLOW\n\nONE\n\n", "sub/b.csv.out": "TWO\n", "sub/empty.csv.out": ""}
    assert max(each["busy"] for each in _invocations(ran)) == 2
    assert {each["Content-Type"] for each in _invocations(ran)} == {"text/csv"}


def _same_twice(ran: Ran) -> None:
    """The data is as it was: the server never sees it."""
    assert (ran.root.parents[1] / "data" / "rows.csv").read_text() == ROWS
    assert [each["start"] for each in _invocations(ran)] == [ROWS]


DATA = [
    _case(
        "3.strategy.single",
        ("3.strategy.single",),
        _step("    transform: {strategy: SingleRecord, split: Line, accept: text/plain}"),
        _single,
        {"data/rows.csv": ROWS[:-1]},
    ),
    _case(
        "3.strategy.multi",
        ("3.strategy.multi",),
        _step("    transform: {strategy: MultiRecord, split: Line, max_payload: 1}"),
        _multi,
        {"data/rows.csv": ("x" * 399_999 + "\n") * 6},
    ),
    _case("3.split.none", ("3.strategy.multi",), _step(), _same_twice),
    _case(
        "3.payload.line",
        ("3.payload",),
        _step("    transform: {split: Line, max_payload: 1}"),
        _failed("transform", "rows.csv, line 2: a record is larger than max_payload, 1 MB"),
        {"data/rows.csv": "a\n" + "x" * 1_100_000 + "\n"},
        exit_code=1,
    ),
    _case(
        "3.payload.file",
        ("3.payload",),
        _step("    transform: {max_payload: 1}"),
        _failed("transform", "rows.csv: a record is larger than max_payload, 1 MB"),
        {"data/rows.csv": "x" * 1_100_000},
        exit_code=1,
    ),
    _case(
        "3.assemble",
        ("3.assemble",),
        _step("    transform: {strategy: SingleRecord, split: Line, assemble: Line, max_concurrent: 2}", SLOW="0.3"),
        _assembled,
        {"data/a.csv": "slow\none\n", "data/sub/b.csv": "two", "data/sub/empty.csv": ""},
    ),
]

# -- what the server did


def _trace(ran: Ran) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ran.root / "steps" / "s" / "trace.json").read_text())
    return found


def _watched(ran: Ran) -> None:
    found = _trace(ran)
    assert (found["traced"], found["why"]) == (True, "")
    assert found["inputs"] == {"model": "read"}
    assert "10.9.8.7:80" in found["connections"]
    network, lost = sorted(ran.result()["warnings"], reverse=True)
    assert network.startswith("tried to connect, and the step has no network")
    assert network.endswith(": 10.9.8.7:80")
    assert lost == "SageMaker throws away what is written outside of the outputs: /opt/ml/beside"
    env = _told(ran)[0]["env"]
    assert not [name for name in env if name.startswith("_RUN_PIPELINE") or name == "PYTHONPATH"]


def _unwatched(ran: Ran) -> None:
    found = _trace(ran)
    assert (found["traced"], found["why"]) == (False, "its entrypoint is serve, and not Python")
    assert found["inputs"] == {"model": "read"}  # as the kernel saw
    assert ran.result()["warnings"] == []
    env = _told(ran)[0]["env"]
    assert not [name for name in env if name.startswith("_RUN_PIPELINE") or name == "PYTHONPATH"]


def _behind_a_shell(engine: Any, directory: Path) -> Ran:
    """The same server, started by a `serve` that is a shell script."""
    serving_image.ensure()
    move = "mv /usr/local/bin/serve /usr/local/bin/server"
    shell = (
        "printf '#!/bin/sh\\nexec /usr/local/bin/server\\n' > /usr/local/bin/serve && chmod 755 /usr/local/bin/serve"
    )
    return on_image(f"RUN {move} && {shell}", base=serving_image.TAG)(engine, directory)


MODEL_OF_TRAIN = {"data/rows.csv": ROWS, "train.py": TRAIN_PY}
WITH_MODEL = (
    _step(OUT="1").replace("steps:", f"steps:{TRAIN}").replace("inputs: {", "inputs: {model: {from: Train.model}, ")
)
TRACE = [
    _case("3.trace", ("3.serve",), WITH_MODEL, _watched, MODEL_OF_TRAIN),
    replace(
        _case(
            "3.trace.shell",
            ("3.serve",),
            WITH_MODEL.replace(serving_image.TAG, PROBE).replace("OUT: '1'", "A: b"),
            _unwatched,
            MODEL_OF_TRAIN,
        ),
        run=_behind_a_shell,
    ),
]

CASES = [*SERVER, *HEALTH, *DATA, *TRACE]
