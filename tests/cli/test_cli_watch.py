"""`watch` from words to exit code, on the fake engine: the command runs here; a thread saves, and presses Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runner import engine as engine_room
from runner.cli.main import entry
from runner.engine.fake import Canned, FakeEngine, FakeStep
from runner.errors import EngineUnavailable
from runner.report import watching

PATIENCE = 20.0
PIPELINE = """\
name: two
image: python
steps:
  make: {script: make.py, outputs: [table]}
  use: {script: use.py, inputs: {table: {from: make.table}}, outputs: [report]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "RUN_PIPELINE_RUNS_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    for name in ("make.py", "use.py"):
        (tmp_path / name).write_text("old\n")
    return tmp_path


class Hand:
    """What a person does each time that `watch` waits, one thing after the other; at the end Ctrl-C."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *deeds: Callable[[], object]) -> None:
        self._deeds = list(deeds)
        for kind in (watching.WatchLines, watching.WatchJson):
            monkeypatch.setattr(kind, "waits", self._then(kind.waits))

    def _then(self, waits: Callable[..., None]) -> Callable[..., None]:
        def told(teller: object, waiting: object) -> None:
            waits(teller, waiting)
            if isinstance(teller, watching.WatchLines):
                deed = self._deeds.pop(0) if self._deeds else interrupt
                threading.Thread(target=deed, daemon=True).start()

        return told


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def save(name: str, text: str = "new\n") -> Callable[[], object]:
    return lambda: Path(name).write_text(text)


@pytest.fixture
def watch(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `watch pipeline.yaml` with these words, while a hand does its deeds; returns code, stdout and stderr."""

    def run(engine: FakeEngine, *deeds: Callable[[], object], words: tuple[str, ...] = ()) -> tuple[int, str, str]:
        monkeypatch.setattr(engine_room, "connect", lambda: engine)
        Hand(monkeypatch, *deeds)
        code = entry(["watch", "pipeline.yaml", *words])
        said = capsys.readouterr()
        assert all(container.removed for container in engine.containers.values())
        return code, said.out, said.err

    return run


def test_what_changed_and_what_runs_is_told_in_a_few_lines(watch) -> None:
    code, out, err = watch(FakeEngine(), save("use.py"))
    assert (code, err) == (0, "")
    first, _, rest = out.partition("─── ")
    assert first.endswith(": 2 steps\n\nwatching 3 files; Ctrl-C ends it\n\n")
    assert rest.splitlines()[0].endswith(" use.py changed")
    assert rest.splitlines()[1] == "    runs use; 1 step up to date"
    assert rest.rstrip().endswith("watching 3 files; Ctrl-C ends it")
    assert out.count("\n\n\n") == 0, "no walls of empty lines"


def test_a_failure_is_told_as_run_tells_it(watch) -> None:
    engine = FakeEngine({"make": Canned(exit_code=3, stderr=b"no data\n")})
    code, out, _ = watch(engine)
    assert code == 1
    assert "no data" in out
    assert "run-pipeline debug make" in out


def test_an_invalid_file_is_told_as_run_tells_it(watch, here: Path) -> None:
    broken = PIPELINE.replace("use.py", "usw.py")
    code, out, err = watch(FakeEngine(), save("pipeline.yaml", broken))
    assert code == 2
    assert err.startswith("pipeline.yaml:5:17: steps.use.script: no file 'usw.py' (did you mean 'use.py'?)")
    assert "pipeline.yaml changed\n" in out


def test_an_invalid_file_that_is_mended_is_forgotten(watch) -> None:
    broken, mended = PIPELINE.replace("use.py", "usw.py"), PIPELINE.replace("outputs: [report]", "outputs: [text]")
    code, out, _ = watch(FakeEngine(), save("pipeline.yaml", broken), save("pipeline.yaml", mended))
    assert code == 0
    assert "runs use; 1 step up to date" in out


def test_a_silent_file_system_is_told_once(watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.pipeline.watch_notify._file_system", lambda path: "nfs4")
    _, out, _ = watch(FakeEngine(), save("use.py"))
    line = "note: make.py: looked at every 1 s: on nfs4, of which the kernel does not tell everything\n"
    assert out.count(line) == 1


def test_quiet_tells_the_last_line_of_each_run(watch) -> None:
    code, out, _ = watch(FakeEngine(), save("use.py"), words=("-q",))
    assert code == 0
    assert [line.split(" in ")[0] for line in out.splitlines()] == ["✓ passed", "✓ passed"]


def test_verbose_shows_what_the_steps_write(watch) -> None:
    _, out, _ = watch(FakeEngine({"use": Canned(stdout=b"hello\n")}), words=("-v",))
    assert "use  | hello" in out


def test_json_lines_are_one_event_each(watch) -> None:
    code, out, err = watch(FakeEngine(), save("use.py"), words=("--json-lines",))
    assert code == 0
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "run-started"
    second = kinds.index("watch-changed")
    assert kinds[second - 1 : second + 3] == ["watch-waits", "watch-changed", "watch-runs", "run-started"]
    assert events[second]["changes"] == [
        {"path": str(Path("use.py").absolute()), "role": "code", "files": [""], "gone": False}
    ]
    assert events[second]["seconds"] >= 0.02, "it had to settle"
    assert (events[second + 1]["run"], events[second + 1]["keep"]) == (["use"], ["make"])
    assert events[-1] == {"event": "watch-waits", "at": events[-1]["at"], "files": 3, "polled": [], "exit_code": 0}
    assert "use.py changed" in err, "a person reads stderr"


def test_json_lines_tell_what_is_refused(watch) -> None:
    code, out, _ = watch(FakeEngine(), save("pipeline.yaml", "steps: 1\n"), words=("--json-lines",))
    refused = next(event for event in map(json.loads, out.splitlines()) if event["event"] == "watch-refused")
    assert (code, refused["exit_code"]) == (2, 2)
    assert "steps" in refused["message"]


def test_polling_is_said(watch) -> None:
    code, out, _ = watch(FakeEngine(), save("use.py"), words=("--poll", "0.1"))
    assert code == 0
    assert "watching 3 files, looked at every 0.1 s; Ctrl-C ends it" in out
    assert "note:" not in out
    assert "use.py changed" in out


def test_options_reach_the_runs(watch) -> None:
    engine = FakeEngine({"make": Canned(exit_code=1)})
    (Path("pipeline.yaml")).write_text(PIPELINE + "  other: {script: make.py, outputs: [thing]}\n")
    _, out, _ = watch(engine, words=("-k", "-j", "1", "--no-trace", "--skip", "use"))
    assert "2 steps, 1 at a time" in out
    assert ("run", "other") in engine.journal
    assert not engine.launches["other"].trace


def test_ctrl_c_in_a_run_is_130_and_said(watch) -> None:
    def press(step: FakeStep) -> int:
        interrupt()
        return 0 if not step.stopping.wait(PATIENCE) else 143

    code, out, _ = watch(FakeEngine({"make": press}))
    assert code == 130
    assert "stopping; Ctrl-C again kills at once" in out
    assert "interrupted" in out


def test_a_specs_directory_is_watched(watch, here: Path) -> None:
    (here / "specs").mkdir()
    spec = {"script_name": "make", "step_name": "make", "script_path": str(here / "make.py")}
    spec |= {"input_paths": {}, "output_paths": {"table": str(here / "out")}, "environ_vars": {}, "job_args": {}}
    path = here / "specs" / "make_runtime_test_spec.json"
    path.write_text(json.dumps(spec))
    (here / "pipeline.yaml").write_text('{"nodes": ["make"], "edges": []}')

    def edit() -> None:
        path.write_text(json.dumps({**spec, "environ_vars": {"ROUNDS": "3"}}))

    engine = FakeEngine()
    code, out, err = watch(engine, edit, words=("--specs", "specs"))
    assert code == 0, err
    assert "specs changed (make_runtime_test_spec.json)" in out
    assert dict(engine.launches["make"].job.env)["ROUNDS"] == "3"


def test_quiet_and_verbose_exclude_each_other(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry(["watch", "pipeline.yaml", "-q", "-v"]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_without_inotify_there_is_a_way_out(watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "inotify_simple", None)
    code, _, err = watch(FakeEngine())
    assert code == 3
    assert "--poll 1" in err
    assert watch(FakeEngine(), words=("--poll", "1"))[0] == 0


def test_a_janitor_is_kept_for_no_run_that_has_ended(watch) -> None:
    released: list[str] = []
    engine = FakeEngine()
    engine.release = released.append  # type: ignore[method-assign]
    watch(engine, save("use.py"))
    assert sorted(released) == sorted(path.name for path in Path("runs").glob("2*"))


def test_signals_are_given_back(watch) -> None:
    before = signal.getsignal(signal.SIGINT)
    watch(FakeEngine())
    assert signal.getsignal(signal.SIGINT) == before
    assert not [t for t in threading.enumerate() if t.name in ("watch", "crier")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["pipelin.yaml"], 2, "Did you mean pipeline.yaml?"),
        (["pipeline.yaml", "--only", "mak"], 2, "--only: no step 'mak' (did you mean 'make'?)"),
        (["pipeline.yaml", "--only", "make", "--skip", "make"], 5, "leaves no step to run"),
        (["pipeline.yaml", "--specs", "nowhere"], 2, "nowhere"),
        (["pipeline.yaml", "--poll", "0"], 2, "0.0 is not in the range x>=0.1"),
    ],
)
def test_a_wrong_word_is_told_at_once(here: Path, capsys, words: list[str], code: int, said: str) -> None:
    """No save would mend it; nothing is watched, and no engine is asked."""
    assert entry(["watch", *words]) == code
    assert said in capsys.readouterr().err


def test_a_wrong_file_is_waited_for(watch, here: Path) -> None:
    (here / "pipeline.yaml").write_text("steps: 1\n")
    code, _, err = watch(FakeEngine(), save("pipeline.yaml", PIPELINE))
    assert code == 0
    assert "steps" in err


def test_no_engine_is_told_at_once(here: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def gone() -> FakeEngine:
        raise EngineUnavailable("no engine answers", remedy="start it")

    monkeypatch.setattr(engine_room, "connect", gone)
    assert entry(["watch", "pipeline.yaml"]) == 3
    assert capsys.readouterr().err == "run-pipeline: no engine answers\nstart it\n"
