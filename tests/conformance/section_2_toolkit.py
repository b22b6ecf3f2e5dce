"""Training in script mode against the real `sagemaker-training`: one step, once started by us, once by its `train`.

What the script sees is compared field by field. Where the two may differ, `ALLOWED` says why, and a check says how.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conformance.cases import Case, Ran, execute
from conformance.toolkit import ensure_toolkit, toolkit_recipe
from conformance.toolkit_look import LOOK

from runner.sagemaker.identity import job_name

Seen = dict[str, Any]
IMAGE = toolkit_recipe().tag()
SOURCE = "/opt/ml/input/data/source/sourcedir.tar.gz"
STEERING = {
    "sagemaker_container_log_level": 20,
    "sagemaker_job_name": job_name("t", "s"),
    "sagemaker_region": "us-east-1",
    "sagemaker_submit_directory": "s3://local/t/s/source/sourcedir.tar.gz",
}
"""What the SDK's estimators add to a request, before it becomes JSON; `sagemaker_program` is each case's own."""

ALLOWED: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "env.PYTHONPATH": (
        "the toolkit goes on with its own interpreter's search path, which every Python of the image has anyway",
        lambda ours, theirs: theirs.startswith(f"{ours}:"),
    ),
    "sys_path": (
        "the directory of the program `train` is on the toolkit's search path, and so on the script's",
        lambda ours, theirs: [entry for entry in theirs if entry != "/opt/venv/bin"] == ours,
    ),
    "orig_argv": (
        "the toolkit names the interpreter by its path and separates its options by `--`",
        lambda ours, theirs: theirs == ["/opt/venv/bin/python3", "--", *ours[1:]],
    ),
}
CPUS = {
    field: ("the toolkit counts the machine's; here a step has what it declares, and 1 if it declares none", check)
    for field, check in (
        ("env.SM_NUM_CPUS", lambda ours, theirs: ours == "1" and int(theirs) >= 1),
        ("training_env.num_cpus", lambda ours, theirs: ours == 1 and theirs >= 1),
    )
}
SOURCE_DIR = {
    field: ("without S3 the toolkit can only unpack a local archive", check)
    for field, check in (
        ("env.SM_MODULE_DIR", lambda _, theirs: theirs == SOURCE),
        ("training_env.module_dir", lambda _, theirs: theirs == SOURCE),
        ("config.hyperparameters.json.sagemaker_submit_directory", lambda _, theirs: json.loads(theirs) == SOURCE),
    )
}


def seen(ran: Ran) -> Seen:
    with tarfile.open(ran.root / "steps" / "s" / "outputs" / "output" / "output.tar.gz") as archive:
        member = archive.extractfile("seen.json")
        assert member is not None
        found: Seen = json.load(member)
    return found


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Mappings only: a list is one field."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    return {
        at: found
        for key, item in value.items()
        for at, found in flat(item, f"{path}.{key}" if path else str(key)).items()
    }


def compare(ours: Seen, theirs: Seen, allowed: Mapping[str, tuple[str, Callable[[Any, Any], bool]]]) -> None:
    absent = "(absent)"
    one, other = flat(ours), flat(theirs)
    differ = {
        field: (one.get(field, absent), other.get(field, absent))
        for field in one.keys() | other.keys()
        if json.dumps(one.get(field, absent)) != json.dumps(other.get(field, absent))  # NaN is not itself
    }
    wrong = {field: pair for field, pair in differ.items() if field not in allowed or not allowed[field][1](*pair)}
    assert not wrong, json.dumps(wrong, indent=1)


def pipeline(step: Mapping[str, Any]) -> str:
    """A pipeline file; JSON is YAML."""
    return json.dumps({"name": "t", "image": IMAGE, "steps": {"s": {"type": "training", **step}}}, ensure_ascii=False)


def request(program: str, hyperparameters: Mapping[str, str], **steering: str) -> dict[str, str]:
    """The hyperparameters of the request that an estimator would send."""
    added = {**STEERING, "sagemaker_program": program, **steering}
    return {**hyperparameters, **{key: json.dumps(value) for key, value in added.items()}}


def archive(files: Mapping[str, str]) -> bytes:
    """The `sourcedir.tar.gz` of an estimator."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o644
            packed.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def run_both(ours: Mapping[str, Any], theirs: Mapping[str, Any], *, declare: bool = True) -> Callable[[Any, Path], Ran]:
    """Run our step, then the toolkit's, from the same directory; `declare` gives both all CPUs of the machine."""

    def run(engine: Any, directory: Path) -> Ran:
        ensure_toolkit()
        resources = {"resources": {"cpus": engine.info().cpus}} if declare else {}
        rans = []
        for step in (theirs, ours):
            (directory / "pipeline.yaml").write_text(pipeline({**step, **resources}))
            rans.append(execute(engine, directory))
        (directory / "theirs").symlink_to(rans[0].root)
        return rans[1]

    return run


def toolkit_of(ran: Ran) -> Ran:
    """The toolkit's run beside ours."""
    root = (ran.root.parent.parent / "theirs").resolve()
    document = json.loads((root / "run.json").read_text())
    return Ran(root, int(document["exit_code"]), ())


def alike(
    name: str,
    *,
    program: str = "train.py",
    hyperparameters: Mapping[str, str] | None = None,
    points: tuple[str, ...] = (),
    code: Mapping[str, str] | None = None,
    files: Mapping[str, str | bytes] | None = None,
    declare: bool = True,
    check: Callable[[Seen], None] = lambda _: None,
    **step: Any,
) -> Case:
    """A case in which both must show the script the same; `check` looks at what that is."""
    given = dict(hyperparameters or {})
    scripts = {f"code/{path}": text for path, text in (code or {program: LOOK}).items()}
    ours = {"source_dir": "code", "script": program, "hyperparameters": given, **step}
    theirs = {"source_dir": "code", "entrypoint": ["train"], "hyperparameters": request(program, given), **step}

    def compared(ran: Ran) -> None:
        mine = seen(ran)
        compare(mine, seen(toolkit_of(ran)), ALLOWED if declare else {**ALLOWED, **CPUS})
        check(mine)

    return Case(
        name=name,
        points=("2.script.toolkit", *points),
        pipeline=pipeline(ours),
        files={**scripts, **(files or {})},
        run=run_both(ours, theirs, declare=declare),
        check=compared,
    )


def _arguments(found: Seen) -> None:
    assert found["argv"] == [
        "train.py", "--", "", "--Upper", "x", "-a", "1", "--dict", "a=1,b=two", "--dotted.name", "v", "--empty", "",
        "--flag", "True", "--float", "0.1", "--lines", "a\nb", "--list", "[1, 'two', None]", "--nested", "k={'x': 1}",
        "--null", "", "--number", "12", "--quoted", "5", "--text", "it's $HOME `x` \"q\"", "--umlaut", "grüße 🎉",
        "--with-dash", "-1", "-ß", "s",
    ], found["argv"]  # fmt: skip
    assert found["env"]["SM_HP_DOTTED.NAME"] == "v"
    assert found["env"]["SM_HP_WITH-DASH"] == "-1"


VALUES = {
    "a": "1", "ß": "s", "-": "", "Upper": "x", "dict": '{"b": "two", "a": 1}', "dotted.name": "v", "empty": "",
    "flag": "true", "float": "0.10", "lines": "a\nb", "list": '[1, "two", null]', "nested": '{"k": {"x": 1}}',
    "null": "null", "number": "12", "quoted": '"5"', "text": "it's $HOME `x` \"q\"", "umlaut": "grüße 🎉",
    "with-dash": "-1",
}  # fmt: skip
ODD = {
    "nan": "NaN", "huge": "1e400", "exact": "0.1000000000000000055511151231257827", "big": "123456789012345678901234",
    "spaces": "  5  ", "half": '{"a": ', "code": "[1,\n2]", "deep": "[[[[1]]]]", "bool_in": '{"a": true}',
    "escape": '"\\u00fc\\n"', "yes": "yes", "zero": "007", "slash": "a/b=c", "sagemaker_mine": "1",
    "sagemaker_enable_cloudwatch_metrics": "true", "sagemaker_mpi_num_processes": "2",
}  # fmt: skip
CHANNELS = {
    "train": {"source": "data/train", "content_type": "text/csv"},
    "val-1": {"source": "data/val", "content_type": "application/x-parquet; charset=utf8"},
    "test.set": "data/one.csv",
    "Mixed_Case": {"source": "data/train", "private": "copy"},
}
DATA = {"data/train/a.csv": "1\n", "data/train/sub/b.csv": "2\n", "data/val/c.csv": "3\n", "data/one.csv": "4\n"}
PACKAGE = {
    "jobs/train.py": "import shared\nfrom jobs import near\nassert (shared.HERE, near.HERE) == (1, 2)\n" + LOOK,
    "jobs/__init__.py": "",
    "jobs/near.py": "HERE = 2\n",
    "shared.py": "HERE = 1\n",
}
ENVIRONMENT = {
    "MINE": "pa$sword", "EMPTY": "", "LINES": "a\nb", "SAGEMAKER_REQUIREMENTS": "none", "SM_MODEL_DIR": "overwritten",
    "SAGEMAKER_PROGRAM": "train.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/nowhere", "SAGEMAKER_JOB_NAME": "overwritten",
    "CURRENT_HOST": "overwritten", "TRAINING_JOB_NAME": "overwritten", "PYTHONUNBUFFERED": "x",
}  # fmt: skip


def _failed(ran: Ran) -> None:
    """The script's own words are FailureReason either way."""
    theirs = toolkit_of(ran)
    assert ran.result()["exit_message"] == theirs.result()["exit_message"] == "no column label"
    assert (ran.result()["exit_code"], theirs.result()["exit_code"]) == (3, 1), "the toolkit exits 1 for every script"


def _silent(ran: Ran) -> None:
    """Without them the toolkit writes its own, and here nobody does: listed among the differences."""
    theirs = toolkit_of(ran).result()
    command = "/opt/venv/bin/python3 -- train.py --aa 1"
    assert theirs["exit_message"] == f'ExecuteUserScriptError:\nExitCode 3\nErrorMessage ""\nCommand "{command}"'
    assert (theirs["exit_code"], theirs["verdict"]) == (1, "exit")
    assert (ran.result()["exit_code"], ran.result()["exit_message"]) == (3, None)


def _fails(name: str, script: str, check: Callable[[Ran], None], points: tuple[str, ...]) -> Case:
    given = {"aa": "1"}
    ours = {"source_dir": "code", "script": "train.py", "hyperparameters": given}
    theirs = {"source_dir": "code", "entrypoint": ["train"], "hyperparameters": request("train.py", given)}
    return Case(
        name=name,
        points=("2.script.toolkit", *points),
        pipeline=pipeline(ours),
        files={"code/train.py": script},
        exit_code=1,
        run=run_both(ours, theirs),
        check=check,
    )


def _unpacked() -> Case:
    """`docker run IMAGE train`, and the toolkit unpacks the code itself."""
    code = {"train.py": "import helper\n" + LOOK, "helper.py": ""}
    inputs = {"source": "sourcedir.tar.gz"}
    given = {"depth": "3"}
    ours = {"source_dir": "code", "script": "train.py", "hyperparameters": given, "inputs": inputs}
    theirs = {
        "image": IMAGE,
        "hyperparameters": request("train.py", given, sagemaker_submit_directory=SOURCE),
        "inputs": inputs,
    }

    def check(ran: Ran) -> None:
        compare(seen(ran), seen(toolkit_of(ran)), {**ALLOWED, **SOURCE_DIR})

    return Case(
        name="T the toolkit's own program train, from sourcedir.tar.gz",
        points=("2.script.toolkit", "2.command.train"),
        pipeline=pipeline(ours),
        files={**{f"code/{name}": text for name, text in code.items()}, "sourcedir.tar.gz": archive(code)},
        run=run_both(ours, theirs),
        check=check,
    )


CASES = [
    alike("T toolkit: nothing but a script", declare=False),
    alike(
        "T toolkit: hyperparameters of every kind",
        hyperparameters=VALUES,
        points=("2.script.arguments", "2.script.one-letter", "2.script.dicts", "2.file.hyperparameters"),
        check=_arguments,
    ),
    alike("T toolkit: values at the edge of JSON", hyperparameters=ODD, points=("2.script.variables",)),
    alike(
        "T toolkit: channels",
        inputs=CHANNELS,
        files=DATA,
        points=("2.path.channels", "2.file.inputdataconfig", "2.script.variables"),
    ),
    alike(
        "T toolkit: a script in a sub-directory", program="jobs/train.py", code=PACKAGE, points=("2.script.variables",)
    ),
    alike("T toolkit: variables of the request", env=ENVIRONMENT, points=("2.env.job",)),
    _unpacked(),
    _fails(
        "T toolkit: a script that says why it fails",
        "open('/opt/ml/output/failure', 'w').write('no column label')\nraise SystemExit(3)\n",
        _failed,
        ("2.failure",),
    ),
    _fails("T toolkit: a script that does not", "raise SystemExit(3)\n", _silent, ("2.failure",)),
]
