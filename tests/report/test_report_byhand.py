"""`plan --shell`: the pipeline by hand, with nothing but bash and docker."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from images.private_index import WHEEL, wheel

from runner.pipeline.layout import StepLayout
from runner.pipeline.plan import Plan, make_plan
from runner.pipeline.reuse import Reuse
from runner.pipeline.select import select
from runner.pipeline.store import Reused
from runner.report.byhand import shell
from runner.report.plan import text as plan_text
from runner.spec import load

PIPELINE = """\
name: by hand
image: python
steps:
  make:
    script: make.py
    args: ["it's", "$HOME", "--flag"]
    env: {WORD: 'pa$sword "x"'}
    inputs: {FILE: "data/a file.txt", TREE: data}
    outputs: [data]
  fit:
    type: training
    script: fit.py
    inputs: {train: {from: make.data}}
    checkpoints: state
  check:
    source_dir: lib
    script: check.py
    inputs: {model: {from: fit.model}, data: {from: make.data}}
    outputs: [seen]
"""
OWNER = """
import os
def hand_back(*roots):
    mine = os.stat("/opt/ml/input/data/train" if os.path.exists("/opt/ml/input") else "/opt/ml/processing/input/code")
    for root in roots:
        for folder, _, files in os.walk(root):
            for name in [".", *files]:
                os.chown(os.path.join(folder, name), mine.st_uid, mine.st_gid)
"""
SCRIPTS = {
    "make.py": OWNER
    + """
import json, sys
seen = {"argv": sys.argv[1:], "word": os.environ["WORD"], "file": os.listdir("/opt/ml/processing/input/FILE"),
        "tree": sorted(os.listdir("/opt/ml/processing/input/TREE")), "config": sorted(os.listdir("/opt/ml/config"))}
json.dump(seen, open("/opt/ml/processing/output/data/seen.json", "w"))
hand_back("/opt/ml/processing/output")
""",
    "fit.py": OWNER
    + """
open("/opt/ml/input/data/train/seen.json", "w").write("spoilt")
open("/opt/ml/model/weights", "w").write("w")
print("kept", open("/opt/ml/checkpoints/epoch").read())
open("/opt/ml/checkpoints/epoch", "w").write("2")
hand_back("/opt/ml/model", "/opt/ml/input/data", "/opt/ml/checkpoints")
""",
    "lib/check.py": OWNER
    + """
import shutil, tarfile
import helper
print(tarfile.open("/opt/ml/processing/input/model/model.tar.gz").getnames())
shutil.copy("/opt/ml/processing/input/data/seen.json", "/opt/ml/processing/output/seen")
hand_back("/opt/ml/processing")
""",
    "lib/helper.py": "",
    "state/epoch": "1",
    "data/a file.txt": "hello",
    "data/b": "",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "my project"
    for name, text in {**SCRIPTS, "pipeline.yaml": PIPELINE}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    monkeypatch.chdir(home)
    return home


def plan_of(project: Path, **selection: list[str]) -> Plan:
    pipeline = load(project / "pipeline.yaml")
    return make_plan(pipeline, select(pipeline.spec, **selection))


def run(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e"], input=script, env={**os.environ, **environ}, capture_output=True, text=True, timeout=120
    )


@pytest.mark.docker
def test_the_whole_pipeline_by_hand(project: Path, python_image: str) -> None:
    told = run(shell(plan_of(project)))
    assert told.returncode == 0, told.stderr
    assert "weights" in told.stdout
    assert "kept 1" in told.stdout
    assert (project / "state" / "epoch").read_text() == "1", "a copy is changed, and not what is kept"
    seen = (project / "by-hand" / "check" / "published" / "seen" / "seen.json").read_text()
    assert seen == (
        '{"argv": ["it\'s", "$HOME", "--flag"], "word": "pa$sword \\"x\\"", "file": ["a file.txt"], '
        '"tree": ["a file.txt", "b"], "config": ["processingjobconfig.json", "resourceconfig.json"]}'
    )
    assert run(shell(plan_of(project))).returncode != 0  # never on top of an earlier try


REQUIRING = """\
name: requiring
image: python
steps:
  load:
    source_dir: code.tar.gz
    script: load.py
    outputs: [data]
  fit:
    type: training
    source_dir: lib
    module: fit
    hyperparameters: {depth: 3}
"""


@pytest.mark.docker
def test_requirements_and_archives_by_hand(project: Path, python_image: str) -> None:
    load_py = "import onlyhere\nopen('/opt/ml/processing/output/data/x', 'w').write(str(onlyhere.ANSWER))\n"
    fit_py = "import onlyhere, sys\nprint('fitted', onlyhere.ANSWER, sys.argv[1:])\nopen('/opt/ml/model/w', 'w')\n"
    files = {"load.py": load_py.encode(), "requirements.txt": f"./{WHEEL}\n".encode(), WHEEL: wheel()}
    with tarfile.open(project / "code.tar.gz", "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    for name, content in {**files, "fit.py": fit_py.encode()}.items():
        (project / "lib" / name).write_bytes(content)
    (project / "pipeline.yaml").write_text(REQUIRING)
    told = run(shell(plan_of(project)))
    assert told.returncode == 0, told.stderr
    assert (project / "by-hand" / "load" / "published" / "data" / "x").read_text() == "42"
    assert "fitted 42 ['--depth', '3']" in told.stdout
    assert "packages  of requirements.txt, installed before the script starts" in plan_text(plan_of(project), Reuse())


@pytest.mark.docker
def test_a_read_only_input_is_so_by_hand(project: Path, python_image: str) -> None:
    """The script lies inside it, in a directory that it lacks."""
    (project / "make.py").write_text(
        OWNER
        + "try:\n    open('/opt/ml/processing/input/b', 'w')\nexcept OSError as error:\n    print(error.strerror)\n"
        "hand_back('/opt/ml/processing/output')\n"
    )
    (project / "pipeline.yaml").write_text(
        "name: by hand\nimage: python\nsteps:\n  make:\n    script: make.py\n"
        "    inputs: {TREE: {source: data, path: /opt/ml/processing/input, private: read-only}}\n"
    )
    told = run(shell(plan_of(project)))
    assert (told.returncode, told.stdout) == (0, "Read-only file system\n"), told.stderr
    assert sorted(path.name for path in (project / "data").iterdir()) == ["a file.txt", "b"]


LIMITED = """\
name: limited
image: python
steps:
  make:
    script: make.py
    instance_type: ml.m5.24xlarge
    credentials: CREDENTIALS
    network: bridge
    inputs: {FILE: "data/a file.txt", TREE: data}
    outputs: [data]
"""


@pytest.mark.docker
def test_an_instance_larger_than_this_machine_by_hand(project: Path, python_image: str) -> None:
    (project / "make.py").write_text(
        OWNER
        + """
import glob
paths = glob.glob("/sys/fs/cgroup/memory.max") + glob.glob("/sys/fs/cgroup/memory/memory.limit_in_bytes")
print(open(paths[0]).read().strip(), flush=True)
hand_back("/opt/ml/processing/output")
"""
    )
    (project / "pipeline.yaml").write_text(LIMITED.replace("CREDENTIALS", "none"))
    told = run(shell(plan_of(project)))
    assert told.returncode == 0, told.stderr
    has = subprocess.run(["docker", "info", "--format", "{{.MemTotal}}"], capture_output=True, text=True).stdout
    assert abs(int(told.stdout) - int(has)) < 4096  # whole pages
    (project / "by-hand").rename(project / "earlier")
    smaller = LIMITED.replace("m5.24xlarge", "t3.medium\n    resources: {cpus: 1}").replace("CREDENTIALS", "none")
    (project / "pipeline.yaml").write_text(smaller)
    assert "  --cpus 1 \\" in shell(plan_of(project)).splitlines()
    told = run(shell(plan_of(project)))
    assert (told.returncode, told.stdout) == (0, f"{4 << 30}\n"), told.stderr


@pytest.mark.parametrize("way", ["environment", "endpoint"])
def test_credentials_are_not_in_it_and_it_says_how_to_give_them(project: Path, way: str) -> None:
    (project / "pipeline.yaml").write_text(LIMITED.replace("CREDENTIALS", way))
    lines = shell(plan_of(project)).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("# Not in this command: the AWS cred"))
    assert "--env AWS_ACCESS_KEY_ID --env AWS_SECRET_ACCESS_KEY --env AWS_SESSION_TOKEN" in lines[at + 1]
    assert any(line.startswith("# There is no endpoint") for line in lines) is (way == "endpoint")
    assert not [line for line in lines if "AWS_" in line and not line.startswith("#")]
    assert not [line for line in shell(plan_of_none(project)).splitlines() if "AWS" in line]


def plan_of_none(project: Path) -> Plan:
    (project / "pipeline.yaml").write_text(LIMITED.replace("CREDENTIALS", "none"))
    return plan_of(project)


@pytest.fixture
def false_docker(tmp_path: Path) -> str:
    """A PATH whose `docker` fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text("#!/bin/sh\nexit 7\n")
    (folder / "docker").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_a_failed_step_stops_it_and_publishes_nothing(project: Path, false_docker: str) -> None:
    told = run(shell(plan_of(project)), PATH=false_docker)
    assert told.returncode == 7
    assert (project / "by-hand" / "make" / "inputs" / "FILE" / "a file.txt").read_text() == "hello"
    assert not (project / "by-hand" / "make" / "published").exists()
    assert not (project / "by-hand" / "fit").exists()


def test_what_does_not_run_comes_from_the_run_that_was_found(project: Path) -> None:
    layout = StepLayout(project / "runs" / "r1" / "steps" / "make")
    lent = Reused("r1", "2026-11-20", "make", {"data": layout.output("data")}, {}, layout)
    lines = shell(plan_of(project, only=["fit"]), project / "else where", {"make": lent}).splitlines()
    target = project / "else where" / "fit" / "inputs" / "train"
    copy = lines.index(f"cp -a '{layout.output('data')}/.' '{target}/'")
    assert lines[copy - 1].startswith("# make.data of run r1, 2026-11-20")
    assert "# 1. fit" in lines
    assert not [line for line in lines if line.startswith("# 2.")]
    with pytest.raises(KeyError):
        shell(plan_of(project, only=["fit"]))


def test_the_head_says_which_images_must_be_there(project: Path) -> None:
    assert "# Docker must have the images first: run-pipeline images build python" in shell(plan_of(project))
    file = project / "pipeline.yaml"
    file.write_text(PIPELINE.replace("source_dir: lib", "source_dir: lib\n    image: registry.example/mine:1"))
    assert "# It also needs registry.example/mine:1" in shell(plan_of(project)).splitlines()
    file.write_text(PIPELINE.replace("image: python", "image: registry.example/mine:1"))
    text = shell(plan_of(project))
    assert "# Docker must have, or be able to pull, registry.example/mine:1" in text.splitlines()
    assert "images build" not in text


def test_of_several_instances_it_says_that_one_runs(project: Path) -> None:
    (project / "pipeline.yaml").write_text(
        PIPELINE.replace("    type: training\n", "    type: training\n    instance_count: 2\n")
    )
    lines = shell(plan_of(project)).splitlines()
    assert lines[lines.index("# 2. fit") + 1].startswith("# The step has 2 instances. This runs algo-1 alone")


def test_one_option_a_line(project: Path) -> None:
    text = shell(plan_of(project, only=["make"]))
    command = text[text.index("docker run") :].splitlines()
    assert command[0] == "docker run \\"
    assert "  --env 'WORD=pa$sword \"x\"' \\" in command
    image = next(line for line in command if "make.py" in line)
    assert image.endswith("/opt/ml/processing/input/code/make.py 'it'\"'\"'s' '$HOME' --flag")
