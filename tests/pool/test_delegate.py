"""A run in a fork of the keeper: the process that asked for it ends as if it had run it itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pool.warmed import alive, docker, keeper_pid, kill, until

from runner.engine.pool.channel import socket_paths

pytestmark = pytest.mark.docker

COMMAND = Path(sys.executable).parent / "run-pipeline"
OK = "import pathlib\npathlib.Path('/opt/ml/processing/output/out/f').write_text('x')\n"
SLOW = "import time\nprint('up', flush=True)\ntime.sleep(600)\n"


class Project:
    def __init__(self, root: Path, image: str) -> None:
        self.root, self.image = root, image
        self.env = {**os.environ, "NO_COLOR": "1"}
        self.script(OK)

    def script(self, text: str) -> None:
        (self.root / "s.py").write_text(text)
        step = {"script": "s.py", "outputs": ["out"]}
        document = {
            "name": "p",
            "image": self.image,
            "steps": {"a": step, "b": {**step, "inputs": {"in": {"from": "a.out"}}}},
        }
        (self.root / "p.yaml").write_text(json.dumps(document))

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        options = {"cwd": self.root, "env": self.env, "stdin": subprocess.DEVNULL, **options}
        argv = [str(COMMAND), *words]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def run(self, *words: str, **options: Any) -> tuple[int, str, str]:
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def last_line_of(self, line: str) -> str:
        """Of what a shell prints for this line."""
        done = subprocess.run(["bash", "-c", line], cwd=self.root, env=self.env, capture_output=True, text=True)
        return done.stdout.splitlines()[-1]

    def owner(self, number: int = -1) -> int:
        """The pid of the process that ran the newest run, or an earlier one."""
        runs = sorted((self.root / "runs").glob("2*"), key=lambda path: path.stat().st_ctime)
        return int(json.loads((runs[number] / "run.json").read_text())["owner"]["pid"])

    def wait_for_script(self) -> None:
        assert until(lambda: any(p.stat().st_size for p in (self.root / "runs").glob("latest/steps/a/stdout")))


@pytest.fixture
def project(tmp_path: Path, python_image: str, pool_dir: Path) -> Project:
    """A project of two steps, with a keeper and containers for both."""
    made = Project(tmp_path, python_image)
    code, out, err = made.run("warm", "p.yaml")
    assert (code, out.splitlines()[0].split(",")[0]) == (0, "2 containers ready"), (out, err)
    return made


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_it_passes_and_leaves_containers_for_the_next_run(project: Project, pool_dir: Path) -> None:
    keeper = keeper_pid(pool_dir)
    first = {each["id"] for each in json.loads(project.run("pool", "--json")[1])["ready"]}
    code, out, err = project.run("run", "p.yaml", "-v")
    assert (code, err) == (0, ""), (out, err)
    assert "2 steps" in out
    assert project.owner() != keeper
    assert until(lambda: len(json.loads(project.run("pool", "--json")[1])["ready"]) == 2)
    second = {each["id"] for each in json.loads(project.run("pool", "--json")[1])["ready"]}
    assert not first & second
    assert keeper_pid(pool_dir) == keeper


def test_it_ran_in_a_child_of_the_keeper(project: Project, pool_dir: Path) -> None:
    project.script(SLOW)
    process = project.start("run", "p.yaml")
    project.wait_for_script()
    assert parent(project.owner()) == keeper_pid(pool_dir)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_the_run(project: Project, number: signal.Signals, code: int) -> None:
    project.script(SLOW)
    process = project.start("run", "p.yaml")
    project.wait_for_script()
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == code, out
    run_id = (project.root / "runs" / "latest").resolve().name
    assert json.loads((project.root / "runs" / run_id / "run.json").read_text())["exit_code"] == code


def test_a_sigkill_of_the_command_ends_the_run_and_its_containers(project: Project, pool_dir: Path) -> None:
    pool_id = of_this_pool(pool_dir)
    project.script(SLOW)
    process = project.start("run", "p.yaml")
    project.wait_for_script()
    pid = project.owner()
    process.kill()
    process.communicate()
    assert until(lambda: not alive(pid))
    assert until(lambda: holds_none(pool_id))


def of_this_pool(pool_dir: Path) -> str:
    """The label's value of all containers that its keeper has made."""
    (found,) = {
        docker("inspect", "--format", '{{index .Config.Labels "run-pipeline.run"}}', each["id"])
        for each in json.loads(subprocess.run([COMMAND, "pool", "--json"], capture_output=True, check=True).stdout)[
            "ready"
        ]
    }
    return found


def holds_none(pool_id: str) -> bool:
    return docker("ps", "-aq", "--filter", f"label=run-pipeline.run={pool_id}") == ""


def test_a_kill_of_the_keeper_stops_the_run_and_says_so(project: Project, pool_dir: Path) -> None:
    pool_id = of_this_pool(pool_dir)
    project.script(SLOW)
    process = project.start("run", "p.yaml")
    project.wait_for_script()
    pid = project.owner()
    kill(keeper_pid(pool_dir))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "was ended, and the run was stopped with it" in err
    assert not alive(pid)
    assert until(lambda: holds_none(pool_id))


def test_exit_codes_and_streams_are_those_of_the_run(project: Project) -> None:
    project.script("import sys\nprint('said', flush=True)\nsys.exit(3)\n")
    code, out, err = project.run("run", "p.yaml", "--json")
    assert code == 1
    assert json.loads(out)["exit_code"] == 1
    assert "exit 3" in err
    code, out, err = project.run("run", "p.yamlx")
    assert code == 2 and "p.yamlx" in err


def test_a_file_without_the_word_run_and_options_first(project: Project) -> None:
    assert project.run("p.yaml", "-q")[0] == 0
    assert project.run("-j", "1", "p.yaml", "-q")[0] == 0


def test_directory_variables_and_umask_are_the_callers(project: Project, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    env = {**project.env, "RUN_PIPELINE_RUNS_DIR": "here"}
    code, out, _ = project.run("run", "../p.yaml", cwd=inner, env=env, preexec_fn=lambda: os.umask(0o027))
    assert code == 0, out
    (run,) = (inner / "here").glob("2*")
    assert run.stat().st_mode & 0o777 == 0o750


def test_another_language_or_time_zone_is_not_its_to_run(project: Project, pool_dir: Path) -> None:
    keeper, before = keeper_pid(pool_dir), project.run("pool", "--json")[1]
    code, out, _ = project.run("run", "p.yaml", env={**project.env, "TZ": "Asia/Tokyo"})
    assert code == 0, out
    assert alive(keeper)
    assert len(socket_paths()) == 2  # each has its own
    ready = {each["id"] for each in json.loads(project.run("pool", "--json")[1])["ready"]}
    assert {each["id"] for each in json.loads(before)["ready"]} <= ready


def test_without_a_stdin_it_runs_all_the_same(project: Project) -> None:
    assert project.last_line_of(f"{COMMAND} run p.yaml -q <&- ; echo $?") == "0"


def test_a_reader_who_leaves_changes_no_exit_code(project: Project) -> None:
    assert project.last_line_of(f"{COMMAND} run p.yaml -v | head -1; echo ${{PIPESTATUS[0]}}") == "0"


def test_suspended_and_continued_with_the_command(project: Project) -> None:
    project.script("import time\nprint('up', flush=True)\ntime.sleep(1)\n" + OK)
    process = project.start("run", "p.yaml")
    project.wait_for_script()
    pid = project.owner()
    process.send_signal(signal.SIGTSTP)
    assert until(lambda: "\nState:\tT" in Path(f"/proc/{pid}/status").read_text())
    assert until(lambda: "\nState:\tT" in Path(f"/proc/{process.pid}/status").read_text())
    time.sleep(0.2)
    process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out


def test_clean_ends_the_pool(project: Project, pool_dir: Path) -> None:
    keeper = keeper_pid(pool_dir)
    code, out, _ = project.run("clean", "--dry-run")
    assert code == 0 and out.count("would remove") == 2
    code, out, _ = project.run("clean")
    assert code == 0 and out.count("removed container") == 2, out
    assert until(lambda: not alive(keeper))
    assert json.loads(project.run("pool", "--json")[1])["ready"] == []


def test_off_is_off(project: Project, pool_dir: Path) -> None:
    env = {**project.env, "RUN_PIPELINE_POOL": "off"}
    assert project.run("run", "p.yaml", "-q", env=env)[0] == 0
    assert len(json.loads(project.run("pool", "--json")[1])["ready"]) == 2
    code, _, err = project.run("warm", "p.yaml", env=env)
    assert code == 2 and "unset RUN_PIPELINE_POOL" in err


def test_a_run_that_shall_not_use_it_leaves_it_alone(project: Project) -> None:
    before = json.loads(project.run("pool", "--json")[1])["ready"]
    assert project.run("run", "p.yaml", "-q", "--no-warm")[0] == 0
    after = json.loads(project.run("pool", "--json")[1])["ready"]
    assert [each["id"] for each in before] == [each["id"] for each in after]
