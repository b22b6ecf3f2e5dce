"""`plan --shell` of a transform step, run for real: what it answers, how it ends, and what it leaves."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance import serving_image

from runner.pipeline.plan import make_plan
from runner.pipeline.select import select
from runner.report.byhand import shell
from runner.spec import load

pytestmark = pytest.mark.docker

PIPELINE = """\
name: by hand
steps:
  s:
    type: transform
    image: {image}
    inputs: {{model: MODEL, data: {{source: data, content_type: text/csv}}}}
    env: {{WORD: 'it''s "x"'ENV}}
    stop_grace: 1
"""


@pytest.fixture(scope="module", autouse=True)
def _image() -> Iterator[None]:
    serving_image.ensure()
    yield
    serving_image.remove()


@pytest.fixture(params=["plain", "odd, 'q' \"n\""])
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    home = tmp_path / request.param
    for name, content in {"data/rows.csv": b"a,1\nb,2\n", "data/sub/more.csv": b"c\n"}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(content)
    monkeypatch.chdir(home)
    yield home
    if os.getuid() != 0:  # containers write as root
        mount = f'type=bind,"source={str(home).replace(chr(34), chr(34) * 2)}",target=/home/of/it'
        own = ["chown", "-R", f"{os.getuid()}:{os.getgid()}", "/home/of/it"]
        command = ["docker", "run", "--rm", "--mount", mount, "--entrypoint", own[0], serving_image.TAG, *own[1:]]
        subprocess.run(command, check=True)


def model(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("weights.txt")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"w"))
    return path


def lines(project: Path, model: str = "m/model.tar.gz", **env: str) -> str:
    more = "".join(f", {name}: '{value}'" for name, value in env.items())
    return of_text(project, PIPELINE.format(image=serving_image.TAG).replace("MODEL", model).replace("ENV", more))


def of_text(project: Path, text: str) -> str:
    (project / "pipeline.yaml").write_text(text)
    pipeline = load(project / "pipeline.yaml")
    return shell(make_plan(pipeline, select(pipeline.spec)))


def start(project: Path, script: str) -> subprocess.Popen[str]:
    """As a terminal would: a process group of its own."""
    (project / "steps.sh").write_text(script)
    command = ["bash", "-e", "steps.sh"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=project, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def containers(process: subprocess.Popen[str], *options: str) -> list[str]:
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"name=by-hand-s-{process.pid}", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("place", ["m/model.tar.gz", "m/mine.tar.gz", "m"])
def test_it_serves_and_posts_and_leaves_nothing(project: Path, place: str) -> None:
    model(project / place if place != "m" else project / "m" / "model.tar.gz")
    process = start(project, lines(project, place))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert '"weights.txt": "w"' in out, "the server's own words"
    assert '"done": true' in out
    published = project / "by-hand" / "s" / "published" / "output"
    assert (published / "rows.csv.out").read_text() == "A,1\nB,2\n"
    assert (published / "sub" / "more.csv.out").read_text() == "C\n"
    assert not containers(process)


def test_a_model_of_another_step_that_has_another_name(project: Path) -> None:
    make = "  make:\n    image: python\n    script: make.py\n    outputs: [model]\n"
    text = PIPELINE.format(image=serving_image.TAG).replace("MODEL", "{from: make.model}").replace("ENV", "")
    (project / "make.py").write_text(
        "import tarfile\nopen('/tmp/w', 'w').write('w')\n"
        "tarfile.open('/opt/ml/processing/output/model/own.tar.gz', 'w:gz').add('/tmp/w', 'weights.txt')\n"
    )
    process = start(project, of_text(project, text + make))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert '"weights.txt": "w"' in out


@pytest.mark.parametrize("fault", [{"ANSWER": "415"}, {"DIE": "7"}, {"EARLY": "3"}, {"EARLY": "3", "LATER": "2"}])
def test_it_fails_when_not_all_is_answered(project: Path, fault: dict[str, str]) -> None:
    model(project / "m" / "model.tar.gz")
    process = start(project, lines(project, **fault))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, (out, err)
    assert not (project / "by-hand" / "s" / "published").exists()
    assert not containers(process)


@pytest.mark.parametrize("how", ["group INT", "group TERM", "alone TERM", "alone KILL"])
def test_it_takes_its_containers_along(project: Path, how: str) -> None:
    model(project / "m" / "model.tar.gz")
    process = start(project, lines(project, SLOW="100"))
    answering(process)
    whom, name = how.split()
    number = signal.Signals[f"SIG{name}"]
    os.killpg(process.pid, number) if whom == "group" else process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    until = time.monotonic() + 20
    while (left := containers(process)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left


def answering(process: subprocess.Popen[str]) -> None:
    """Wait until a request is under way."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        for found in containers(process, "--filter", f"ancestor={serving_image.TAG}"):
            if "/invocations" in subprocess.run(["docker", "logs", found], capture_output=True, text=True).stdout:
                return
        time.sleep(0.1)
    raise AssertionError(f"no request: {process.communicate() if process.poll() is not None else 'it still runs'}")
