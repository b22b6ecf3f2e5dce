"""Contract 1, paths: where data lies, what a script may do to it, and what of its outputs is uploaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.cases import SEEN, Case, Ran, execute
from conformance.ways import PROBE, cli, on_image, result, steps

INPUT = "/opt/ml/processing/input"
LIST = (
    SEEN
    + """
def below(top):
    return sorted(os.path.relpath(os.path.join(folder, name), top) for folder, _, f in os.walk(top) for name in f)
"""
)
WRITE = f"{SEEN}\ntell(wrote=True)\n"


def own_paths(ran: Ran) -> None:
    assert ran.seen() == {"below": ["a.csv"]}
    assert (ran.output(name="else") / "f").read_text() == "x"


# -- reserved


def hidden(ran: Ran) -> None:
    assert ran.seen() == {"out": [], "config": ["processingjobconfig.json", "resourceconfig.json"]}
    assert [path.name for path in ran.output().iterdir()] == ["seen.json"]
    assert ran.result()["exit_message"] is None


HIDING = (
    SEEN
    + """
tell(out=os.listdir("/opt/ml/processing/output/out"), config=sorted(os.listdir("/opt/ml/config")))
"""
)
STALE = {
    "opt/ml/processing/output/out/stale.csv": "of the image",
    "opt/ml/config/stale.json": "{}",
    "opt/ml/output/message": "of the image",
}

# -- outputs


def outputs_empty(ran: Ran) -> None:
    places = ["/opt/ml/processing/output/out", "/opt/ml/processing/deep/er/b", "/opt/ml/processing/c"]
    assert ran.seen() == {"before": {place: [] for place in places}}


OUTPUTS_EMPTY = (
    SEEN
    + """
places = ["/opt/ml/processing/output/out", "/opt/ml/processing/deep/er/b", "/opt/ml/processing/c"]
before = {place: os.listdir(place) for place in places}
for place in places[1:]:
    open(place + "/f", "w").close()
tell(before=before)
"""
)
LINKS = """
import os
out = "/opt/ml/processing/output/out"
os.makedirs(out + "/sub/real")
open(out + "/file.txt", "w").write("kept")
open(out + "/sub/real/deep.txt", "w").write("kept too")
os.symlink("file.txt", out + "/to_file")
os.symlink("/etc/passwd", out + "/to_etc")
os.symlink("nowhere", out + "/dangling")
os.symlink("sub/real", out + "/to_dir")
os.symlink("../file.txt", out + "/sub/up")
"""
USE_LINKS = LIST + f"tell(below=below('{INPUT}/i'), links=[n for n in os.listdir('{INPUT}/i') if os.path.islink(n)])\n"


def symlinks(ran: Ran) -> None:
    assert ran.seen("use") == {"below": ["file.txt", "sub/real/deep.txt"], "links": []}
    found = sorted(str(path.relative_to(ran.output())) for path in ran.output().rglob("*"))
    assert found == ["file.txt", "sub", "sub/real", "sub/real/deep.txt"]
    names = ["dangling", "sub/up", "to_dir", "to_etc", "to_file"]
    shown = ", ".join(f"{name} (symlink)" for name in names)
    assert ran.result()["warnings"] == [f"output 'out': not published, as S3 holds files only: {shown}"]


def symlinks_alone(ran: Ran) -> None:
    assert (ran.result()["verdict"], result(ran, "use")["state"]) == ("missing-output", "blocked")


# -- inputs

SPOIL = (
    SEEN
    + """
found = {}
for name in ("made", "host", "single"):
    folder = "/opt/ml/processing/input/" + name
    found[name] = {n: open(os.path.join(folder, n)).read() for n in sorted(os.listdir(folder))}
    for n in os.listdir(folder):
        open(os.path.join(folder, n), "a").write("spoiled")
        os.rename(os.path.join(folder, n), os.path.join(folder, "moved"))
    open(folder + "/new", "w").write("mine")
    found[name + " after"] = sorted(os.listdir(folder))
os.remove(__file__)
tell(**found)
"""
)
MAKE = "open('/opt/ml/processing/output/out/made.csv', 'w').write('1')"
PRIVATE = steps(
    make={"script": "make.py", "outputs": ["out"]},
    one={
        "script": "spoil.py", "outputs": ["out"],
        "inputs": {"made": {"from": "make.out"}, "host": "data", "single": "data/a.csv"},
    },
    two={
        "script": "spoil.py", "outputs": ["out"], "depends_on": ["one"],
        "inputs": {"made": {"from": "make.out"}, "host": "data", "single": "data/a.csv"},
    },
)  # fmt: skip


def private(ran: Ran) -> None:
    before = {"made": {"made.csv": "1"}, "host": {"a.csv": "a", "b.csv": "b"}, "single": {"a.csv": "a"}}
    for step in ("one", "two"):
        seen = ran.seen(step)
        assert {name: seen[name] for name in before} == before
        assert seen["made after"] == ["moved", "new"]
    root = ran.root.parent.parent
    assert {path.name: path.read_text() for path in (root / "data").iterdir()} == {"a.csv": "a", "b.csv": "b"}
    assert (root / "spoil.py").read_text() == SPOIL
    assert {path.name: path.read_text() for path in ran.output("make").iterdir()} == {"made.csv": "1"}


APART = (
    SEEN
    + f"""
if sys.argv[1:]:
    tell(a="a")
    sys.exit()
found = {{}}
for name in ("one", "two", "made", "again"):
    found[name] = sorted(os.listdir("{INPUT}/" + name))
    open("{INPUT}/" + name + "/new", "w").close()
tell(**found)
"""
)


def apart(ran: Ran) -> None:
    data, made = ["a.csv", "b.csv"], ["seen.json"]
    assert ran.seen() == {"one": data, "two": data, "made": made, "again": made}
    assert sorted(path.name for path in (ran.root.parent.parent / "data").iterdir()) == data


NESTED = steps(
    s={
        "script": "s.py", "outputs": ["out"],
        "inputs": {
            "all": {"source": "data", "path": INPUT},
            "inner": {"source": "data/a.csv", "path": f"{INPUT}/in/ner"},
        },
    }
)  # fmt: skip


def nested(ran: Ran) -> None:
    assert ran.seen() == {"below": ["a.csv", "b.csv", "code/s.py", "in/ner/a.csv"]}
    assert sorted(path.name for path in (ran.root.parent.parent / "data").iterdir()) == ["a.csv", "b.csv"]


def single(ran: Ran) -> None:
    assert ran.seen() == {"below": ["a.csv"], "around": ["code", "one"]}


def twice(engine: Any, directory: Path) -> Ran:
    """Run, let the script write another name, run again."""
    first = execute(engine, directory)
    assert [path.name for path in first.output().iterdir()] == ["first"]
    script = directory / "s.py"
    script.write_text(script.read_text().replace("first", "second"))
    second = execute(engine, directory)
    assert [path.name for path in first.output().iterdir()] == ["first"]
    return second


def fresh(ran: Ran) -> None:
    assert ran.stream() == b"[]\n"
    assert [path.name for path in ran.output().iterdir()] == ["second"]


def empty_output(ran: Ran) -> None:
    assert (ran.result("make")["verdict"], ran.result("make")["state"]) == ("missing-output", "failed")
    assert ran.result("make")["reason"] == (
        "output 'out' is empty: the script wrote nothing to /opt/ml/processing/output/out"
    )
    assert (result(ran, "use")["state"], result(ran, "use")["blocked_by"]) == ("blocked", ["make"])
    assert not ran.output("make").exists()


DATA = {"data/a.csv": "a", "data/b.csv": "b"}

CASES = [
    Case(
        name="1.path.localpath, paths of one's own", points=("1.path.localpath",), files={**DATA, "s.py": (
            LIST + "open('/opt/ml/processing/x/y/f', 'w').write('x')\ntell(below=below('/opt/ml/processing/q'))\n"
        )},
        pipeline=steps(s={
            "script": "s.py", "outputs": {"out": None, "else": "/opt/ml/processing/x/y"},
            "inputs": {"i": {"source": "data/a.csv", "path": "/opt/ml/processing/q"}},
        }),
        check=own_paths,
    ),
    Case(
        name="1.path.reserved", points=("1.path.reserved", "1.path.outputs-empty"), files={"s.py": HIDING},
        pipeline=steps(s={"image": PROBE, "script": "s.py", "outputs": ["out"]}), check=hidden,
        run=on_image(files=STALE),
    ),
    Case(
        name="1.path.outputs-empty", points=("1.path.outputs-empty",), files={"s.py": OUTPUTS_EMPTY},
        pipeline=steps(s={
            "script": "s.py",
            "outputs": {"out": None, "b": "/opt/ml/processing/deep/er/b", "c": "/opt/ml/processing/c"},
        }),
        check=outputs_empty,
    ),
    Case(
        name="P4 symlinks in an output", points=("P4", "1.path.symlinks"), files={"s.py": LINKS, "use.py": USE_LINKS},
        pipeline=steps(
            s={"script": "s.py", "outputs": ["out"]},
            use={"script": "use.py", "outputs": ["out"], "inputs": {"i": {"from": "s.out"}}},
        ),
        check=symlinks,
    ),
    Case(
        name="P4 an output of nothing but symlinks", points=("P4", "1.path.symlinks"), exit_code=1,
        files={"s.py": "import os\nos.symlink('/etc/passwd', '/opt/ml/processing/output/out/x')", "use.py": ""},
        pipeline=steps(
            s={"script": "s.py", "outputs": ["out"]}, use={"script": "use.py", "inputs": {"i": {"from": "s.out"}}}
        ),
        check=symlinks_alone, run=cli("run", "pipeline.yaml"),
    ),
    Case(
        name="P3 a script overwrites its inputs", points=("P3", "1.path.inputs-private"), pipeline=PRIVATE,
        files={"spoil.py": SPOIL, "make.py": MAKE, **DATA}, check=private,
    ),
    Case(
        name="1.path.inputs-private, one directory twice", points=("1.path.inputs-private",), check=apart,
        files={"s.py": APART, **DATA}, pipeline=steps(
            make={"script": "s.py", "outputs": ["out"], "args": ["make"]},
            s={"script": "s.py", "outputs": ["out"], "inputs": {
                "one": "data", "two": "./data/", "made": {"from": "make.out"}, "again": {"from": "make.out"},
            }},
        ),
    ),
    Case(
        name="P6 an input around the code and another input", points=("P6", "1.path.nested-inputs"),
        files={"s.py": LIST + f"tell(below=below('{INPUT}'))\n", **DATA}, pipeline=NESTED, check=nested,
    ),
    Case(
        name="P2 a single-file input", points=("P2", "1.path.single-object"),
        files={"s.py": LIST + f"tell(below=below('{INPUT}/one'), around=sorted(os.listdir('{INPUT}')))\n", **DATA},
        pipeline=steps(s={"script": "s.py", "outputs": ["out"], "inputs": {"one": "data/a.csv"}}), check=single,
    ),
    Case(
        name="P5 a second run with other file names", points=("P5", "1.path.outputs-empty"), run=twice, check=fresh,
        files={"s.py": "import os\nout = '/opt/ml/processing/output/out'\nprint(os.listdir(out))\n"
                       "open(out + '/first', 'w').write('x')\n"},
        pipeline=steps(s={"script": "s.py", "outputs": ["out"]}),
    ),
    Case(
        name="P12 a producer leaves its output empty", points=("P12", "1.unknown.empty"), exit_code=1,
        files={"make.py": "", "use.py": WRITE}, check=empty_output,
        pipeline=steps(
            make={"script": "make.py", "outputs": ["out"]},
            use={"script": "use.py", "inputs": {"i": {"from": "make.out"}}, "outputs": ["out"]},
        ),
    ),
]  # fmt: skip
