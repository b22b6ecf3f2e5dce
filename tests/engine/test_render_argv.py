"""What the rendered command and scripts hand to `docker`, seen by a stand-in for it on PATH."""

from __future__ import annotations

import csv
import io
import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.engine.base import BoundInput, BoundOutput, Image, Launch, StartMode
from runner.engine.render import docker_argv, reproduce_script, shell_script
from runner.sagemaker.job import ConfigFile, ContainerJob, Limits

STUB = """#!/bin/bash
if [ "$1" = run ]; then printf '%s\\0' "$@" >"$RECORD"; exit "${STATUS:-0}"; fi
if [ "$1 $2" = "image inspect" ]; then exit "${INSPECT:-0}"; fi
"""

# What a file name, an argument or a variable may hold: any bytes but NUL, valid UTF-8 or not.
texts = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.binary().map(lambda raw: os.fsdecode(raw.replace(b"\0", b""))),
    st.text("\"'\\$`!&;|<>()[]{}*?~#%^ \t\r\n,=-a"),
)
names = texts.map(lambda text: os.fsdecode(os.fsencode(text.replace("/", "|"))[:80])).filter(
    lambda text: text not in ("", ".", "..")
)


@dataclass(frozen=True)
class Stage:
    """A run directory, and a `docker` that writes down its words."""

    root: Path

    @property
    def record(self) -> Path:
        return self.root / "record"

    def launch(self, **changes: object) -> Launch:
        step = self.root / "run" / "steps" / "Step"
        for folder in ("code", "attempt/out", "config/0", "config/1"):
            (step / folder).mkdir(parents=True, exist_ok=True)
        (step / "config" / "0" / "f.json").write_text("{}")
        job = ContainerJob(
            step="Step",
            step_type="processing",
            image="python",
            config=(ConfigFile("/opt/ml/config/f.json", "{}"),),
            exit_message="/opt/ml/output/message",
        )
        image = Image(
            reference="registry/python:1",
            id="sha256:" + "0" * 64,
            entrypoint=("image-entrypoint",),
            cmd=("image-cmd",),
            env=(),
            user="",
            working_dir="",
            python=None,
            python_version=None,
            mode=StartMode.COLD,
        )
        return Launch(
            job=replace(job, **changes),  # type: ignore[arg-type]
            image=image,
            run_id="R",
            run_root=self.root / "run",
            inputs=(BoundInput("code", "/opt/ml/processing/input/code", step / "code"),),
            outputs=(BoundOutput("out", "/opt/ml/processing/output/out", step / "attempt" / "out"),),
            config=(
                BoundOutput("config-0", "/opt/ml/config", step / "config" / "0"),
                BoundOutput("config-1", "/opt/ml/output", step / "config" / "1"),
            ),
            scratch=step / "scratch",
        )

    def run(self, text: str, *options: str, script: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        script = script or self.root / "run" / "steps" / "Step" / "script.sh"
        script.write_bytes(text.encode("utf-8", "surrogateescape"))
        self.record.unlink(missing_ok=True)
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", script, *options],
            env={**os.environ, "PATH": path, "RECORD": str(self.record), **env},
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    def recorded(self) -> list[str]:
        return [os.fsdecode(word) for word in self.record.read_bytes().split(b"\0")[:-1]]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    root = tmp_path_factory.mktemp("render")
    (root / "bin").mkdir()
    stub = root / "bin" / "docker"
    stub.write_text(STUB)
    stub.chmod(0o755)
    yield Stage(root)


def mounts(argv: list[str]) -> list[list[str]]:
    """The values of every `--mount`, as Docker reads them: one record of CSV each."""
    values = [word for flag, word in itertools.pairwise(argv) if flag == "--mount"]
    return [next(csv.reader(io.StringIO(value, newline=""), strict=True)) for value in values]


def without(argv: list[str], *flags: str) -> list[str]:
    """`argv` without these options and their values, up to the image."""
    found, words = [], iter(argv)
    for word in words:
        if word in flags:
            next(words)
        else:
            found.append(word)
    return found


@given(arguments=st.lists(texts, max_size=4), entrypoint=st.lists(texts, max_size=3), value=texts, cwd=texts)
@settings(max_examples=40, deadline=None)
def test_any_text_reaches_docker_unchanged(
    stage: Stage, arguments: list[str], entrypoint: list[str], value: str, cwd: str
) -> None:
    launch = stage.launch(
        arguments=tuple(arguments) or None,
        entrypoint=tuple(entrypoint) or None,
        env=(("FIRST", value), ("SECOND", "")),
        working_dir="/" + cwd,
    )
    done = stage.run(reproduce_script(launch))
    assert done.returncode == 0, done.stderr
    got = stage.recorded()
    wanted = docker_argv(launch)[1:]
    tail = [launch.image.id, *entrypoint[1:], *arguments]
    assert wanted[len(wanted) - len(tail) :] == tail
    assert got[len(got) - len(tail) :] == tail
    head, wanted_head = got[: len(got) - len(tail)], wanted[: len(wanted) - len(tail)]
    assert without(head, "--mount", "--name", "--cidfile") == without(wanted_head, "--mount")
    assert f"FIRST={value}" in head


@given(name=names, foreign=names, target=texts)
@settings(max_examples=25, deadline=None)
def test_any_path_is_mounted_as_it_is(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory, name: str, foreign: str, target: str
) -> None:
    launch = stage.launch()
    inside = launch.run_root / "steps" / name / "outputs" / "o"
    outside = stage.root / "foreign" / foreign
    for path in (inside, outside):
        path.mkdir(parents=True, exist_ok=True)
    (inside / name).write_text("inside")
    (outside / foreign).write_text("outside")
    bound = (BoundInput(name, f"/opt/{target}", inside), BoundInput(foreign, "/opt/foreign", outside))
    launch = replace(launch, inputs=bound)
    words = mounts(docker_argv(launch))
    assert words[0] == ["type=bind", f"source={inside}", f"target=/opt/{target}", "readonly"]
    assert words[1] == ["type=bind", f"source={outside}", "target=/opt/foreign", "readonly"]

    done = stage.run(reproduce_script(launch))
    assert done.returncode == 0, done.stderr
    copies = mounts(stage.recorded())
    assert [fields[2] for fields in copies] == [f"target=/opt/{target}", *(fields[2] for fields in words[1:2]),
                                                "target=/opt/ml/processing/output/out", "target=/opt/ml/config",
                                                "target=/opt/ml/output"]  # fmt: skip
    for fields, name_of, text in ((copies[0], name, "inside"), (copies[1], foreign, "outside")):
        assert (Path(fields[1].removeprefix("source=")) / name_of).read_text() == text


@given(odd=names, name=texts)
@settings(max_examples=20, deadline=None)
def test_a_run_directory_can_lie_anywhere(stage: Stage, odd: str, name: str) -> None:
    """The script finds what lies beside it wherever it was moved, and no name of a step breaks its comments."""
    moved = stage.root / "moved" / odd / "steps" / "Step"
    for folder in ("code", "config/0"):
        (moved / folder).mkdir(parents=True, exist_ok=True)
    (moved / "code" / "here").write_text("")
    launch = stage.launch(step=name)
    for text in (reproduce_script(launch), shell_script(launch)):
        done = stage.run(text, script=moved / "script.sh")
        assert done.returncode == 0, done.stderr
        source = Path(mounts(stage.recorded())[0][1].removeprefix("source="))
        assert source.is_relative_to(moved)
        assert (source / "here").exists()


def test_command_words_follow_docker_rules(stage: Stage) -> None:
    def tail(**changes: object) -> list[str]:
        argv = docker_argv(stage.launch(**changes))
        return argv[argv.index("/opt/ml/output") + 1 :] if "/opt/ml/output" in argv else argv

    assert tail()[-1] == "sha256:" + "0" * 64
    assert tail(arguments=("a", "-b"))[-3:] == ["sha256:" + "0" * 64, "a", "-b"]
    both = tail(entrypoint=("python3", "-u", "x.py"), arguments=("--k",))
    assert both[both.index("--entrypoint") + 1] == "python3"
    assert both[-4:] == ["sha256:" + "0" * 64, "-u", "x.py", "--k"]
    assert "--entrypoint" not in tail(arguments=("a",))


def test_limits_and_network(stage: Stage) -> None:
    limits = Limits(cpus=0.1, memory=512 << 20, shm_size=1 << 20, pids=7, timeout=60)
    argv = docker_argv(stage.launch(limits=limits, network="bridge", hostname="algo-1"))
    pairs = dict(itertools.pairwise(argv))
    assert pairs["--cpus"] == "0.1"
    assert pairs["--memory"] == pairs["--memory-swap"] == str(512 << 20)
    assert (pairs["--shm-size"], pairs["--pids-limit"]) == (str(1 << 20), "7")
    assert (pairs["--network"], pairs["--hostname"]) == ("bridge", "algo-1")
    assert "--add-host" not in argv
    isolated = docker_argv(stage.launch())
    assert isolated[isolated.index("--add-host") + 1] == "algo-1:127.0.0.1"
    assert not {"--cpus", "--memory", "--memory-swap", "--shm-size", "--pids-limit"} & set(isolated)


def test_one_of_several_instances_says_that_it_is_alone(stage: Stage) -> None:
    told = stage.run(reproduce_script(stage.launch(hostname="algo-2", instance_count=3)))
    assert "this is algo-2 alone, of 3 instances: the others do not run" in told.stderr
    assert "alone" not in stage.run(reproduce_script(stage.launch())).stderr


def test_image_by_id_or_by_reference(stage: Stage) -> None:
    launch = stage.launch()
    assert docker_argv(launch)[-1] == launch.image.id
    assert docker_argv(launch, by_reference=True)[-1] == launch.image.reference
    text = reproduce_script(launch)
    assert "registry/python:1" in text, "the reference stands in a comment"
    for script, options, image in (
        (text, (), launch.image.id),
        (reproduce_script(launch, by_reference=True), (), launch.image.reference),
        (text, ("--image", "other:2"), "other:2"),
    ):
        assert stage.run(script, *options).returncode == 0
        assert stage.recorded()[-1] == image


def test_status_is_the_containers(stage: Stage) -> None:
    done = stage.run(reproduce_script(stage.launch()), STATUS="137")
    assert done.returncode == 137
    assert "exit status 137" in done.stderr
    assert "output out: " in done.stderr
    assert done.stdout == ""


def test_earlier_message_is_not_given_to_the_script(stage: Stage) -> None:
    launch = stage.launch()
    (launch.config[1].host / "message").write_text("from the run")
    stage.run(reproduce_script(launch))
    config, message = (Path(fields[1].removeprefix("source=")) for fields in mounts(stage.recorded())[2:])
    assert [path.name for path in config.iterdir()] == ["f.json"]
    assert list(message.iterdir()) == []
    (launch.config[1].host / "message").unlink()


@pytest.mark.parametrize(
    ("damage", "options", "env", "says"),
    [
        ("input", (), {}, "input 'code' is gone"),
        ("", (), {"INSPECT": "1"}, "name another with --image"),
        ("", ("--imgae", "x"), {}, "usage:"),
        ("", ("--image",), {}, "usage:"),
    ],
)
def test_refusals_run_nothing_and_leave_nothing(
    stage: Stage, damage: str, options: tuple[str, ...], env: dict[str, str], says: str
) -> None:
    launch = stage.launch()
    if damage:
        launch.inputs[0].host.rmdir()
    before = sorted(launch.scratch.parent.glob("reproduce.*"))
    done = stage.run(reproduce_script(launch), *options, script=launch.scratch.parent / "script.sh", **env)
    assert done.returncode == 125
    assert says in done.stderr
    assert not stage.record.exists()
    assert sorted(launch.scratch.parent.glob("reproduce.*")) == before


def test_no_docker_is_said(stage: Stage, tmp_path: Path) -> None:
    for tool in ("bash", "mktemp", "rm"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    script = tmp_path / "reproduce.sh"
    script.write_text(reproduce_script(stage.launch()))
    done = subprocess.run(
        ["/usr/bin/bash", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 125
    assert "no docker command" in done.stderr


def test_an_image_with_a_user_may_write_its_outputs(stage: Stage) -> None:
    launch = stage.launch()
    for user, mode in (("", 0), ("root:root", 0), ("0", 0), ("app", 0o002), ("1000:1000", 0o002)):
        stage.run(reproduce_script(replace(launch, image=replace(launch.image, user=user))))
        output = Path(mounts(stage.recorded())[1][1].removeprefix("source="))
        assert output.stat().st_mode & 0o002 == mode, user


def test_shell_shows_the_command_and_keeps_everything_else(stage: Stage) -> None:
    launch = stage.launch(entrypoint=("python3", "a b.py"), arguments=("$HOME",), env=(("K", "v v"),))
    done = stage.run(shell_script(launch))
    assert done.returncode == 0
    assert "python3 'a b.py' '$HOME'" in done.stderr
    shell = stage.recorded()
    stage.run(reproduce_script(launch))
    reproduced = stage.recorded()
    variable = ("--mount", "--name", "--cidfile", "--entrypoint")
    image = launch.image.id
    plain = [word for word in without(shell[: shell.index(image)], *variable) if word != "--interactive"]
    assert plain == without(reproduced[: reproduced.index(image)], *variable)
    assert [fields[2] for fields in mounts(shell)] == [fields[2] for fields in mounts(reproduced)]
    assert shell[shell.index("--entrypoint") + 1] == "/bin/sh"


def test_shell_of_an_image_without_a_command(stage: Stage) -> None:
    launch = stage.launch()
    done = stage.run(shell_script(replace(launch, image=replace(launch.image, entrypoint=(), cmd=()))))
    assert done.returncode == 0
    assert "neither ENTRYPOINT nor CMD" in done.stderr


def test_what_is_kept_is_copied_or_read_only(stage: Stage) -> None:
    kept = stage.root / 'user\'s, "state"'
    kept.mkdir(exist_ok=True)
    (kept / "epoch").write_text("1")
    launch = replace(stage.launch(), kept=(BoundOutput("checkpoints", "/opt/ml/checkpoints", kept),))
    done = stage.run(reproduce_script(launch))
    assert done.returncode == 0, done.stderr
    (source,) = [value[1] for value in mounts(stage.recorded()) if value[2] == "target=/opt/ml/checkpoints"]
    copy = Path(source.removeprefix("source="))
    assert (copy / "epoch").read_text() == "1"
    assert copy != kept
    assert "# /opt/ml/checkpoints begins with a copy of what is kept there now." in reproduce_script(launch)
    assert ["type=bind", f"source={kept}", "target=/opt/ml/checkpoints", "readonly"] in mounts(docker_argv(launch))
