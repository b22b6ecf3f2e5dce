"""What the script did: what a trace finds, what it does not claim, and that nothing else depends on it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.cases import OUT, Case, Ran, execute

from runner.engine.base import StartMode

INPUT = "/opt/ml/processing/input"
KEPT = f'open("{OUT}/kept", "w").write("1")\n'


def pipeline(inputs: str = "", more: str = "", image: str = "python") -> str:
    return f"name: trace\nimage: {image}\nsteps:\n  s: {{script: s.py, outputs: [out], inputs: {{{inputs}}}{more}}}\n"


def trace(ran: Ran) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ran.root / "steps" / "s" / "trace.json").read_text())
    return found


def says(*words: str) -> Callable[[Ran], None]:
    """Exactly these findings, each by words of its sentence, and the trace holds."""

    def check(ran: Ran) -> None:
        found = ran.result()["warnings"]
        assert len(found) == len(words), found
        for word in words:
            assert any(word in warning for warning in found), (word, found)
        assert trace(ran)["traced"], trace(ran)["why"]
        assert trace(ran)["findings"] == found

    return check


class Plain:
    """The real engine, as on a host that lets no container mount."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def image(self, reference: str) -> Any:
        return dataclasses.replace(self._engine.image(reference), mode=StartMode.PLAIN)


def plainly(engine: Any, directory: Path) -> Ran:
    return execute(Plain(engine), directory)


def untraced(engine: Any, directory: Path) -> Ran:
    from runner.pipeline.execute import Run
    from runner.pipeline.plan import make_plan
    from runner.pipeline.select import select
    from runner.spec import load

    loaded = load(directory / "pipeline.yaml")
    plan = make_plan(loaded, select(loaded.spec))
    finished = Run(plan, engine, runs_dir=directory / "runs", trace=False).execute()
    return Ran((directory / "runs" / "latest").resolve(), finished.exit_code, ())


READS = f"""
import os, subprocess
open("{INPUT}/a/f").read()
subprocess.run(["cat", "{INPUT}/c/sub/f"], check=True)
os.listdir("{INPUT}/l")
os.stat("{INPUT}/n/f")
{KEPT}"""
FOUR = {f"in/{name}": "data\n" for name in ("a/f", "c/sub/f", "l/f", "n/f")}
FOUR_INPUTS = "a: in/a, c: in/c, l: in/l, n: in/n"


def check_reads(ran: Ran) -> None:
    assert trace(ran)["inputs"] == {"a": "read", "c": "read", "l": "listed", "n": "untouched"}
    assert trace(ran)["children"] == ["cat"]
    says("'n' was never read", "'l' was listed, but none of its files was read")(ran)


ELSEWHERE = f"""
import os
os.makedirs("/opt/ml/processing/outputs")
open("/opt/ml/processing/outputs/typo.csv", "w").write("1")
os.system("echo 1 > /opt/ml/model.bin")
os.chdir("/srv")
open("result.csv", "w").write("1")
for passing in ("/tmp/t", "/var/tmp/t", "/root/.cache-me", "gone"):
    open(passing, "w").write("1")
os.remove("gone")
os.symlink("{OUT}", "/srv/link")
open("/srv/link/through", "w").write("1")
open("/opt/ml/output/message", "w").write("all well")
open("{INPUT}/code/lost.txt", "w").write("1")
open("{INPUT}/a/unpacked", "w").write("1")
open("{INPUT}/a/unpacked").read()
"""


def check_elsewhere(ran: Ran) -> None:
    lost = "/opt/ml/model.bin, /opt/ml/processing/input/code/lost.txt, /opt/ml/processing/outputs/typo.csv"
    says(f"outside of the outputs: {lost}, /srv/result.csv")(ran)


NOT_THERE = f"""
import glob
assert not glob.glob("{INPUT}/datas/*.csv")
try:
    open("{INPUT}/other/train.csv")
except FileNotFoundError:
    pass
try:
    open("/home/me/config.json")
except FileNotFoundError:
    pass
{KEPT}"""

ENDS = f"""
import os, signal
if os.fork() == 0:
    open("/forked", "w").write("1")
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
{KEPT}
open("{INPUT}/a/f").read()
os._exit(0)
"""

SPAWNS = f"""
import multiprocessing, subprocess, sys
def work():
    open("/spawned", "w").write("1")
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    subprocess.run([sys.executable, "-c", "open('/child', 'w').write('1')"], check=True)
    {KEPT}"""


def check_spawns(ran: Ran) -> None:
    """A child is named, and nothing is said of what it did."""
    says()(ran)
    children = trace(ran)["children"]
    assert "a process of multiprocessing (spawn)" in children
    assert any(name.endswith("python3") for name in children), children


MANY = f"""
import os
os.makedirs("/srv/many")
for number in range(100_000):
    try:
        open(f"{INPUT}/a/{{number}}")
    except FileNotFoundError:
        pass
    if number < 5000:
        open(f"/srv/many/{{number}}", "w").close()
{KEPT}"""


def check_many(ran: Ran) -> None:
    told = trace(ran)
    assert told["more"] > 10_000
    assert len(told["writes"]) == 200
    assert len(json.dumps(told)) < 200_000
    warnings = ran.result()["warnings"]
    assert "and 194 more" in " ".join(warnings) or "and 195 more" in " ".join(warnings), warnings


AUDITS = f"""
import sys
events = []
sys.addaudithook(lambda event, arguments: events.append(event))
open("{INPUT}/a/f").read()
import os
os.listdir("{INPUT}/a")
print(events)
print([name for name in sys.modules if "runner" in name or "trace" in name or name.startswith("zip")])
print([name for name in os.environ if "RUN_PIPELINE" in name or name == "PYTHONPATH"], sys.path)
{KEPT}"""


def check_audits(ran: Ran) -> None:
    says()(ran)
    lines = ran.stream().decode().splitlines()
    assert lines[0] == "['open', 'os.listdir']"
    assert lines[1] == "['zipimport']"
    assert lines[2].startswith("[] ['/opt/ml/processing/input/code', ")
    assert "/proc/" not in lines[2]


PANDAS = f"""
import numpy, pandas
table = pandas.read_csv("{INPUT}/a/table.csv")
numpy.load("{INPUT}/b/x.npy")
table.to_csv("{OUT}/table.csv")
numpy.save("/opt/ml/lost.npy", table.to_numpy())
"""
NPY = b"\x93NUMPY\x01\x00\x46\x00{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }" + b" " * 12 + b"\n\x01"


def check_closed(ran: Ran) -> None:
    assert not trace(ran)["traced"]
    assert trace(ran)["inputs"] == {"a": "read", "n": "untouched"}
    warnings = ran.result()["warnings"]
    assert [warning for warning in warnings if "could not be traced" in warning and "started with -I" in warning]
    assert "input 'n' was never read" in warnings


def check_off(ran: Ran) -> None:
    assert ran.result()["warnings"] == []
    assert not (ran.root / "steps" / "s" / "trace.json").exists()


def check_failed(ran: Ran) -> None:
    assert ran.result()["verdict"] == "exit"
    says("not there, and no input declares: /home/me/data.csv")(ran)


WRAPPED = """
cd /opt/ml/processing/input/work
pip install --no-index nothing.whl  # as SageMaker's does it, by the program
python3 s.py "$@"
"""


def check_wrapped(ran: Ran) -> None:
    assert ran.stream() == b"False ['x']\n"
    assert b"nothing.whl" in ran.stream("stderr")
    told = trace(ran)
    assert (told["traced"], told["missing"], told["children"]) == (True, [], [])
    assert ran.result()["warnings"] == [
        "SageMaker throws away what is written outside of the outputs: /opt/ml/processing/lost"
    ]


RUNPROC = f"""
name: trace
image: python
steps:
  s:
    entrypoint: [/bin/bash, {INPUT}/entrypoint/runproc.sh]
    args: [x]
    inputs: {{entrypoint: in/entrypoint, work: in/work}}
    outputs: [out]
"""
RUNPROC_FILES = {
    "in/entrypoint/runproc.sh": WRAPPED,
    "in/work/s.py": f"import os, sys\nprint('PYTHONPATH' in os.environ, sys.argv[1:])\n"
    f"open('/opt/ml/processing/lost', 'w').write('1')\n{KEPT}",
}
DATA = {"in/a/f": "data\n"}

CASES = [
    Case(
        name="trace: what was read, by Python and by others",
        points=("1.path.inputs-private",),
        pipeline=pipeline(FOUR_INPUTS),
        files={"s.py": READS, **FOUR},
        check=check_reads,
    ),
    Case(
        name="trace: the same without staging",
        points=("1.path.inputs-private",),
        pipeline=pipeline(FOUR_INPUTS),
        files={"s.py": READS, **FOUR},
        check=check_reads,
        run=plainly,
    ),
    Case(
        name="trace: what SageMaker throws away, by its path as the script wrote it",
        points=("1.path.reserved", "1.path.localpath"),
        pipeline=pipeline("a: in/a"),
        files={"s.py": ELSEWHERE, **DATA},
        check=check_elsewhere,
    ),
    Case(
        name="trace: a path that no input declares",
        points=("1.path.reserved",),
        pipeline=pipeline(),
        files={"s.py": NOT_THERE},
        check=says(f"no input declares: {INPUT}/datas, {INPUT}/other/train.csv"),
    ),
    Case(
        name="trace: a path of the host's, when the script failed",
        points=("1.path.reserved",),
        pipeline=pipeline("a: in/a"),
        files={"s.py": "open('/home/me/data.csv')", **DATA},
        check=check_failed,
        exit_code=1,
    ),
    Case(
        name="trace: os._exit, a fork, and SIGKILL lose nothing",
        points=("1.success",),
        pipeline=pipeline("a: in/a"),
        files={"s.py": ENDS, **DATA},
        check=says("outside of the outputs: /forked"),
    ),
    Case(
        name="trace: children are named",
        points=("1.success",),
        pipeline=pipeline(),
        files={"s.py": SPAWNS},
        check=check_spawns,
    ),
    Case(
        name="trace: a hundred thousand opens are bounded",
        points=("1.success",),
        pipeline=pipeline("a: in/a"),
        files={"s.py": MANY, **DATA},
        check=check_many,
    ),
    Case(
        name="trace: a script that audits itself sees nothing of it",
        points=("1.env.exact",),
        pipeline=pipeline("a: in/a"),
        files={"s.py": AUDITS, **DATA},
        check=check_audits,
    ),
    Case(
        name="trace: nor does it without staging",
        points=("1.env.exact",),
        pipeline=pipeline("a: in/a"),
        files={"s.py": AUDITS, **DATA},
        check=check_audits,
        run=plainly,
    ),
    Case(
        name="trace: numpy and pandas",
        points=("1.path.inputs-private",),
        pipeline=pipeline("a: in/a, b: in/b", image="sklearn"),
        files={"s.py": PANDAS, "in/a/table.csv": "a,b\n1,2\n", "in/b/x.npy": NPY},
        check=says("outside of the outputs: /opt/ml/lost.npy"),
    ),
    Case(
        name="trace: an interpreter that keeps the tracer out",
        points=("1.command.entrypoint",),
        pipeline=pipeline("a: in/a, n: in/n", f", entrypoint: [python3, -I, {INPUT}/code/s.py]"),
        files={"s.py": f"open('{INPUT}/a/f').read()\n{KEPT}", **FOUR},
        check=check_closed,
    ),
    Case(
        name="trace: through SageMaker's own runproc.sh",
        points=("1.code.framework",),
        pipeline=RUNPROC,
        files=RUNPROC_FILES,
        check=check_wrapped,
    ),
    Case(
        name="trace: --no-trace",
        points=("1.success",),
        pipeline=pipeline("a: in/a"),
        files={"s.py": KEPT, **DATA},
        check=check_off,
        run=untraced,
    ),
]
