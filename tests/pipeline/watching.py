"""A pipeline of scripts in a directory, watched on the fake engine by a thread; tests save files and wait for words."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pipeline.helpers import PATIENCE

from runner.engine.fake import FakeEngine
from runner.errors import RunnerError
from runner.pipeline.events import RunFinished
from runner.pipeline.execute import Run
from runner.pipeline.plan import Plan
from runner.pipeline.reuse import Remark, Reuse
from runner.pipeline.select import select
from runner.pipeline.watch import Watcher
from runner.pipeline.watch_files import Change, Files
from runner.pipeline.watch_parts import Subject, Waiting
from runner.spec import load


class Words:
    """A teller that keeps what it hears: (kind, content), in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._more = threading.Condition()
        self._read = 0

    def say(self, kind: str, content: Any) -> None:
        with self._more:
            self.heard.append((kind, content))
            self._more.notify_all()

    def next(self, kind: str, condition: Callable[[Any], bool] = lambda content: True) -> Any:
        """The next of this kind after what was returned last."""
        with self._more:
            found = self._more.wait_for(lambda: self._find(kind, condition), PATIENCE)
            assert found, (kind, self.heard[self._read :])
            self._read = found
            return self.heard[found - 1][1]

    def _find(self, kind: str, condition: Callable[[Any], bool]) -> int:
        rest = enumerate(self.heard[self._read :], self._read + 1)
        return next((index for index, (each, content) in rest if each == kind and condition(content)), 0)

    def changed(self, changes: Sequence[Change]) -> None:
        self.say("changed", [str(change) for change in changes])

    def runs(self, run: Sequence[str], keep: Sequence[str]) -> None:
        self.say("runs", (list(run), list(keep)))

    def refused(self, error: RunnerError) -> None:
        self.say("refused", error)

    def remark(self, remark: Remark) -> None:
        self.say("remark", str(remark))

    def waits(self, waiting: Waiting) -> None:
        self.say("waits", waiting)


class Watch:
    """`steps` as in a pipeline file; each without a script gets `<name>.py`, and each has an output `out`."""

    def __init__(self, root: Path, engine: FakeEngine, steps: dict[str, dict[str, Any]], **options: Any) -> None:
        self.root, self.engine, self.words = root, engine, Words()
        self.choice = {key: options.pop(key) for key in ("only", "from_", "until", "skip") if key in options}
        self.options = {"jobs": 4, **options}
        self.before_begin: Callable[[], None] = lambda: None
        self.finished: list[RunFinished] = []
        self.retired = threading.Event()
        """A run was told of a change."""
        self.code: int | None = None
        self.fault: BaseException | None = None
        self.write(steps)
        self._thread = threading.Thread(target=self._watch, name="watching", daemon=True)

    def write(self, steps: dict[str, dict[str, Any]]) -> None:
        """The pipeline file, and the scripts that are not there yet."""
        whole = {}
        for name, step in steps.items():
            whole[name] = {"script": f"{name}.py", "outputs": ["out"], **step}
            script = self.root / whole[name]["script"]
            if not script.exists():
                script.write_text(f"{name}: old\n")
        fresh = self.root / "pipeline.yaml.new"
        fresh.write_text(yaml.safe_dump({"name": "demo", "image": "img", "steps": whole}, sort_keys=False))
        fresh.rename(self.root / "pipeline.yaml")

    def save(self, name: str, text: str = "new\n") -> None:
        (self.root / name).write_text(text)

    def start(self) -> Watch:
        file, runs = self.root / "pipeline.yaml", self.root / "runs"
        subject = Subject(file, None, runs, lambda: load(file), lambda spec: select(spec, **self.choice))
        self.files = Files(self.root, [runs])
        self.watcher = Watcher(subject, self.files, self._conduct, self.words)
        retire = self.watcher._retire

        def retired(run: Run, batch: Any) -> None:
            retire(run, batch)
            self.retired.set()

        self.watcher._retire = retired  # type: ignore[method-assign]
        self._thread.start()
        return self

    def first(self) -> Watch:
        """Started, and the first run is over."""
        self.start().words.next("waits")
        return self

    def end(self, signum: int = signal.SIGINT) -> int:
        self.watcher.cancel(signum)
        return self.ended()

    def ended(self) -> int:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), self.words.heard
        assert all(container.removed for container in self.engine.containers.values())
        assert not [t for t in threading.enumerate() if t.name in ("watch", "staging", "stopper")]
        if self.fault is not None:
            raise self.fault
        assert self.code is not None
        return self.code

    def ran(self) -> list[tuple[str, str]]:
        """Step and verdict (or state) of the newest run, by step."""
        return [(r.step, str(r.verdict or r.state)) for r in self.finished[-1].results]

    def _watch(self) -> None:
        try:
            self.code = self.watcher.watch()
        except BaseException as error:
            self.fault = error

    def _conduct(self, plan: Plan, lent: Reuse, begun: Callable[[Run], None]) -> RunFinished:
        self.before_begin()
        run = Run(plan, self.engine, runs_dir=self.root / "runs", lent=lent, **self.options)
        begun(run)
        self.finished.append(run.execute())
        return self.finished[-1]


def takes(*names: str, **more: Any) -> dict[str, Any]:
    """A step that takes `out` of each of these."""
    return {"inputs": {name: {"from": f"{name}.out"} for name in names}, **more}
