"""Contract 1, command and environment: Docker's rules for entrypoint and arguments, and every character verbatim."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

from conformance.cases import SEEN, Case, Ran, execute
from conformance.ways import PROBE, SHOW, cli, nothing_started, on_image, steps

COMMANDS = ("1.command.neither", "1.command.entrypoint", "1.command.arguments", "1.command.both")
OF_THE_IMAGE = {"image": PROBE, "outputs": ["out"]}
MINE = ["python3", "/show.py", "mine"]
FILES = {"show.py": SHOW}

# -- the four combinations, by what the image has


def combinations(arguments: list[str]) -> str:
    return steps(
        OF_THE_IMAGE,
        neither={},
        entrypoint={"entrypoint": MINE},
        arguments={"args": arguments},
        both={"entrypoint": MINE, "args": arguments},
    )


def argvs(ran: Ran, *names: str) -> dict[str, list[str]]:
    return {name: ran.seen(name)["argv"] for name in names or ("neither", "entrypoint", "arguments", "both")}


def with_entrypoint_and_cmd(ran: Ran) -> None:
    assert argvs(ran) == {
        "neither": ["own", "cmd"],
        "entrypoint": ["mine"],
        "arguments": ["own", "one", "two"],
        "both": ["mine", "one", "two"],
    }


def with_entrypoint(ran: Ran) -> None:
    assert argvs(ran) == {
        "neither": ["own"],
        "entrypoint": ["mine"],
        "arguments": ["own", "one", "two"],
        "both": ["mine", "one", "two"],
    }


def with_cmd(ran: Ran) -> None:
    assert argvs(ran) == {
        "neither": ["cmd"],
        "entrypoint": ["mine"],
        "arguments": ["given"],
        "both": ["mine", "python3", "/show.py", "given"],
    }


def with_nothing(ran: Ran) -> None:
    assert argvs(ran, "entrypoint", "arguments") == {"entrypoint": ["mine"], "arguments": ["given"]}


def without_a_command(ran: Ran) -> None:
    assert ran.notices == (
        f"run-pipeline: step 's' names no command, and its image '{reference(ran)}' has neither ENTRYPOINT nor CMD",
        "give the step a `script`, an `entrypoint` or `args`",
    )
    nothing_started(ran)


def reference(ran: Ran) -> str:
    line = (ran.root / "pipeline.yaml").read_text().splitlines()[-1]
    return line.removeprefix(f"images: {{{PROBE}: '").removesuffix("'}")


SHELL_SHOW = """\
printf '%s\\n' "$@" > /opt/ml/processing/output/out/argv
"""
NO_PYTHON = "RUN rm -rf /opt/venv /usr/bin/python3*"


def cold(ran: Ran) -> None:
    names = ("neither", "entrypoint", "arguments", "both")
    assert {ran.result(name)["mode"] for name in names} == {"cold"}
    assert {name: (ran.output(name) / "argv").read_text().splitlines() for name in names} == {
        "neither": ["own", "cmd"],
        "entrypoint": ["mine"],
        "arguments": ["own", "one", "two words"],
        "both": ["mine", "one", "two words"],
    }


# -- verbatim

ODD = [
    "$HOME", "pa$sword", "${HOME}", "$$", "$(id)", "`id`", "a b", " lead and trail ", "'", '"', "'\"'", "\\", "\\n",
    "line\nbreak", "tab\tcr\rend\n", "é漢🙂\u200b", "", "*", "~", "%PATH%", "!x", "a=b=c", "--", "-c", "#c", "{}",
    "[x]", "&& exit 9 ;|<>",
]  # fmt: skip
ODD_ENV = {f"V{number}": value for number, value in enumerate(ODD)}
TELL = SEEN + "tell(argv=sys.argv[1:], env={k: v for k, v in os.environ.items() if k[0] == 'V'})\n"


def verbatim(ran: Ran) -> None:
    assert ran.seen() == {"argv": ODD, "env": ODD_ENV}


COLD_TELL = """\
printf '%s\\0' "$@" > /opt/ml/processing/output/out/argv
cat /proc/self/environ > /opt/ml/processing/output/out/env
"""


def cold_verbatim(ran: Ran) -> None:
    assert ran.result()["mode"] == "cold"
    assert (ran.output() / "argv").read_bytes().decode().split("\0")[:-1] == ODD
    entries = (ran.output() / "env").read_bytes().decode().split("\0")[:-1]
    seen = dict(entry.split("=", 1) for entry in entries)
    assert {key: value for key, value in seen.items() if key in ODD_ENV} == ODD_ENV


def p0(ran: Ran) -> None:
    assert ran.seen() == {"argv": ["$HOME"], "env": "pa$sword"}


def p1(ran: Ran) -> None:
    assert ran.seen()["argv"] == ["own", "--epochs", "3"]


# -- environment

ALL = SEEN + "tell(env=dict(os.environ), aws=os.path.exists(os.path.expanduser('~/.aws')))\n"
SECRET = "kJ8-this-is-a-secret-of-the-host"
ON_THE_HOST = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": SECRET,
    "AWS_PROFILE": "mine",
    "AWS_DEFAULT_REGION": "eu-west-9",
}


def with_credentials_on_the_host(engine: Any, directory: Path) -> Ran:
    with mock.patch.dict(os.environ, ON_THE_HOST):
        return execute(engine, directory)


def exact(ran: Ran) -> None:
    seen = ran.seen()["env"]
    added = {key: seen.pop(key) for key in ("HOME", "HOSTNAME")}  # Docker's own, of every container
    assert added == {"HOME": "/root", "HOSTNAME": "algo-1"}
    assert seen == {**image_environment(), "ONLY": "this", "LANG": "mine", "SHARED": "of the pipeline", "EMPTY": ""}


def image_environment() -> dict[str, str]:
    from runner.engine import images
    from runner.engine.client import client

    docker = client()
    try:
        entries = docker.images.get(images.docker_reference("python")).attrs["Config"]["Env"]
    finally:
        docker.close()
    return dict(entry.split("=", 1) for entry in entries)


def no_credentials(ran: Ran) -> None:
    seen = ran.seen()
    assert not [key for key in seen["env"] if key.startswith("AWS")]
    assert not seen["aws"]
    holding = [path for path in ran.root.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not holding


# -- where the code lies

PLACE = SEEN + "tell(argv=sys.argv, file=__file__, cwd=os.getcwd(), code=os.listdir('/opt/ml/processing/input/code'))\n"


def script_processor(ran: Ran) -> None:
    path = "/opt/ml/processing/input/code/place.py"
    assert ran.seen() == {"argv": [path, "x"], "file": path, "cwd": "/a/work dir", "code": ["place.py"]}


def user_applies(ran: Ran) -> None:
    assert ran.seen()["uid"] == 1234
    assert ran.output().joinpath("seen.json").stat().st_uid == os.getuid()


CASES = [
    Case(
        name="1.command, an image with ENTRYPOINT and CMD", points=COMMANDS,
        pipeline=combinations(["one", "two"]), check=with_entrypoint_and_cmd,
        run=on_image('ENTRYPOINT ["python3", "/show.py", "own"]', 'CMD ["cmd"]', files=FILES),
    ),
    Case(
        name="1.command, an image with ENTRYPOINT alone", points=COMMANDS,
        pipeline=combinations(["one", "two"]), check=with_entrypoint,
        run=on_image('ENTRYPOINT ["python3", "/show.py", "own"]', files=FILES),
    ),
    Case(
        name="1.command, an image with CMD alone", points=COMMANDS,
        pipeline=combinations(["python3", "/show.py", "given"]), check=with_cmd,
        run=on_image('CMD ["python3", "/show.py", "cmd"]', files=FILES),
    ),
    Case(
        name="1.command, an image with neither", points=("1.command.entrypoint", "1.command.arguments"),
        pipeline=steps(OF_THE_IMAGE, entrypoint={"entrypoint": MINE}, arguments={"args": [*MINE[:2], "given"]}),
        check=with_nothing, run=on_image("ENTRYPOINT []", "CMD []", files=FILES),
    ),
    Case(
        name="1.command, nothing names a command", points=("1.command.neither",),
        pipeline=steps(OF_THE_IMAGE, s={}), check=without_a_command, exit_code=2,
        run=on_image("ENTRYPOINT []", "CMD []", way=cli("run", "pipeline.yaml")),
    ),
    Case(
        name="1.command, an image without Python", points=COMMANDS,
        pipeline=steps(
            OF_THE_IMAGE, neither={}, entrypoint={"entrypoint": ["sh", "/show.sh", "mine"]},
            arguments={"args": ["one", "two words"]},
            both={"entrypoint": ["sh", "/show.sh", "mine"], "args": ["one", "two words"]},
        ),
        check=cold,
        run=on_image(
            NO_PYTHON, 'ENTRYPOINT ["sh", "/show.sh", "own"]', 'CMD ["cmd"]', files={"show.sh": SHELL_SHOW}
        ),
    ),
    Case(
        name="1.command.verbatim", points=("1.command.verbatim", "1.env.exact"), files={"s.py": TELL},
        pipeline=steps(s={"script": "s.py", "args": ODD, "env": ODD_ENV, "outputs": ["out"]}), check=verbatim,
    ),
    Case(
        name="1.command.verbatim, an image without Python", points=("1.command.verbatim",),
        pipeline=steps(
            s={"image": PROBE, "entrypoint": ["sh", "/t.sh"], "args": ODD, "env": ODD_ENV, "outputs": ["out"]}
        ),
        check=cold_verbatim, run=on_image(NO_PYTHON, files={"t.sh": COLD_TELL}),
    ),
    Case(
        name="P0 env pa$sword, argument $HOME", points=("P0", "1.command.verbatim"),
        files={"s.py": SEEN + "tell(argv=sys.argv[1:], env=os.environ['PASSWORD'])\n"},
        pipeline=(
            "image: python\nsteps:\n  s: {script: s.py, args: [$HOME], env: {PASSWORD: pa$sword}, outputs: [out]}\n"
        ),
        check=p0,
    ),
    Case(
        name="P1 arguments without entrypoint", points=("P1", "1.command.arguments"),
        pipeline=steps(OF_THE_IMAGE, s={"args": ["--epochs", "3"]}), check=p1,
        run=on_image('ENTRYPOINT ["python3", "/show.py", "own"]', 'CMD ["cmd"]', files=FILES),
    ),
    Case(
        name="1.env.exact", points=("1.env.exact", "1.unknown.variables"), files={"s.py": ALL},
        pipeline=steps(
            s={"script": "s.py", "outputs": ["out"], "env": {"ONLY": "this", "LANG": "mine", "EMPTY": ""}}
        ) + "env: {SHARED: of the pipeline, ONLY: not this}\n",
        check=exact,
    ),
    Case(
        name="1.env.no-credentials", points=("1.env.no-credentials",), files={"s.py": ALL},
        pipeline=steps(s={"script": "s.py", "outputs": ["out"]}), check=no_credentials,
        run=with_credentials_on_the_host,
    ),
    Case(
        name="1.code.script", points=("1.code.script",), files={"place.py": PLACE, "other.py": ""},
        pipeline=steps(s={"image": PROBE, "script": "place.py", "args": ["x"], "outputs": ["out"]}),
        check=script_processor, run=on_image('WORKDIR "/a/work dir"', 'ENTRYPOINT ["false"]'),
    ),
    Case(
        name="1.unknown.user, the image's USER applies", points=("1.unknown.user",),
        pipeline=steps(OF_THE_IMAGE, s={}), check=user_applies,
        run=on_image("USER 1234", 'ENTRYPOINT ["python3", "/show.py"]', files=FILES),
    ),
]  # fmt: skip
