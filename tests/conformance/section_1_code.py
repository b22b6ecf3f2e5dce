"""Where the code lies: ScriptProcessor, FrameworkProcessor, and the source directory of a training job."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from conformance.cases import SEEN, Case, Ran, execute

CODE = "/opt/ml/processing/input/code"
STARTER = "/opt/ml/processing/input/entrypoint"
PACKAGE, VERSION = "toolz", "0.12.1"
"""Pure Python, without dependencies."""

LOOK = f"""
{SEEN}
def below(root):
    return sorted(os.path.relpath(os.path.join(at, name), root) for at, _, names in os.walk(root) for name in names)
def read(path):
    with open(path) as handle:
        return handle.read()
"""


def step(*lines: str) -> str:
    """A pipeline file with one processing step `s`."""
    return "\n".join(["name: code", "image: python", "steps:", "  s:", *(f"    {line}" for line in lines), ""])


def training(*lines: str) -> str:
    return step("type: training", *lines)


def model(ran: Ran) -> dict[str, Any]:
    """What a training script left in `/opt/ml/model/seen.json`."""
    with tarfile.open(ran.output("s", "model") / "model.tar.gz") as archive:
        member = archive.extractfile("seen.json")
        assert member is not None
        found: dict[str, Any] = json.load(member)
        return found


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("__", "/") + ".py")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


# -- ScriptProcessor

SCRIPT = f"""{LOOK}
config = json.loads(read("/opt/ml/config/processingjobconfig.json"))
tell(argv=sys.argv, cwd=os.getcwd(), code=below({CODE!r}), config=config)
"""


def script_alone(ran: Ran) -> None:
    seen = ran.seen()
    assert seen["argv"] == [f"{CODE}/load.py", "--k", "v"]
    assert (seen["code"], seen["cwd"]) == (["load.py"], "/")
    assert seen["config"]["AppSpecification"]["ContainerEntrypoint"] == ["python3", f"{CODE}/load.py"]


# -- FrameworkProcessor

FRAMEWORK = f"""{LOOK}
import tarfile
import helper
with tarfile.open({CODE!r} + "/sourcedir.tar.gz") as packed:
    members = sorted(packed.getnames())
config = json.loads(read("/opt/ml/config/processingjobconfig.json"))
tell(argv=sys.argv, cwd=os.getcwd(), helper=helper.__file__, data=read("data/words.txt"), code=below({CODE!r}),
     starter=below({STARTER!r}), members=members, config=config, text=read({STARTER!r} + "/runproc.sh"),
     parent=read("/proc/%d/cmdline" % os.getppid()).split("\\0")[:-1])
"""
FRAMEWORK_FILES = {
    "src/steps/load.py": "import sys; sys.path.insert(0, '.')\n" + FRAMEWORK,
    "src/helper.py": "",
    "src/data/words.txt": "pa$sword",
    "src/__pycache__/old.pyc": b"old",
}


def framework(ran: Ran) -> None:
    seen = ran.seen()
    packed = ["data/words.txt", "helper.py", "steps/load.py"]
    assert seen["code"] == [*packed[:2], "sourcedir.tar.gz", packed[2]]
    assert [name for name in seen["members"] if "." in name] == packed
    assert (seen["starter"], seen["data"]) == (["runproc.sh"], "pa$sword")
    command = ["/bin/bash", f"{STARTER}/runproc.sh"]
    assert seen["parent"] == [*command, "--k", "$HOME it's"]
    specification = seen["config"]["AppSpecification"]
    assert specification["ContainerEntrypoint"] == command
    assert specification["ContainerArguments"] == ["--k", "$HOME it's"]
    inputs = {item["InputName"]: item["S3Input"] for item in seen["config"]["ProcessingInputs"]}
    assert list(inputs) == ["code", "entrypoint"]
    assert (inputs["code"]["LocalPath"], inputs["entrypoint"]["LocalPath"]) == (CODE, STARTER)
    assert inputs["code"]["S3Uri"] == "s3://local/code/s/source/sourcedir.tar.gz"
    assert inputs["entrypoint"]["S3Uri"] == "s3://local/code/s/source/runproc.sh"
    assert seen["text"].startswith("#!/bin/bash\n")


def framework_cwd(ran: Ran) -> None:
    seen = ran.seen()
    assert seen["argv"] == ["steps/load.py", "--k", "$HOME it's"]
    assert (seen["cwd"], seen["helper"]) == (CODE, f"{CODE}/helper.py")


def framework_module(ran: Ran) -> None:
    assert ran.seen()["argv"] == [f"{CODE}/pkg/__main__.py", "--k", "v"]
    assert ran.seen()["helper"] == f"{CODE}/pkg/helper.py"


MODULE_FILES = {
    "src/pkg/__init__.py": "",
    "src/pkg/helper.py": "",
    "src/pkg/__main__.py": f"{SEEN}\nfrom pkg import helper\ntell(argv=sys.argv, helper=helper.__file__)\n",
}


def unpacked_archive(ran: Ran) -> None:
    assert ran.seen()["helper"] == f"{CODE}/lib/helper.py"


def no_script_is_started(ran: Ran) -> None:
    """bash goes on after a failed command until `set -e`; the script's status is the job's."""
    assert ran.result()["exit_code"] == 7
    assert ran.stream("stderr").endswith(b"bad\n")


# -- requirements.txt

INSTALLED = f"{LOOK}\nimport {PACKAGE}\nwhere = dict(version={PACKAGE}.__version__, file={PACKAGE}.__file__)\n"


def installed(ran: Ran) -> None:
    seen = ran.seen()
    assert seen["version"] == VERSION
    assert f"Successfully installed {PACKAGE}-{VERSION}".encode() in ran.stream()
    assert seen["sockets"] == ["lo"]  # no network was opened for it


def by_hand(engine: Any, directory: Path) -> Ran:
    """`reproduce.sh` installs the same packages, with nothing but docker."""
    ran = execute(engine, directory)
    told = subprocess.run(
        ["bash", str(ran.root / "steps" / "s" / "reproduce.sh")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert f"Successfully installed {PACKAGE}-{VERSION}" in told.stdout
    return ran


def installed_before_training(ran: Ran) -> None:
    seen = model(ran)
    assert (seen["version"], seen["argv"]) == (VERSION, ["train.py", "--depth", "3"])
    assert f"Successfully installed {PACKAGE}-{VERSION}".encode() in ran.stream()


def again(engine: Any, directory: Path) -> Ran:
    """The second run with the same requirements has neither a helper container nor an index to ask."""
    from docker.errors import APIError

    first = execute(engine, directory)
    assert first.exit_code == 0, first.notices
    (directory / "src" / "load.py").write_text((directory / "src" / "load.py").read_text() + "# edited\n")
    api = engine._api
    made: list[dict[str, Any]] = []
    create = api.create_container_from_config

    def watched(config: dict[str, Any]) -> Any:
        made.append(config["HostConfig"])
        if config["HostConfig"].get("NetworkMode") != "none":
            raise APIError("the second run may not use a network")
        return create(config)

    def helper(*_: Any, **__: Any) -> Any:
        raise APIError("the second run needs no helper")

    api.create_container_from_config, api.create_container = watched, helper
    try:
        second = execute(engine, directory)
    finally:
        del api.create_container_from_config, api.create_container
    assert len(made) == 1
    return second


def not_there(ran: Ran) -> None:
    result = ran.result()
    assert (result["verdict"], result["exit_code"]) == ("exit", 1)
    assert "requirements.txt could not be installed" in result["reason"]
    assert "no-such-package-of-run-pipeline" in result["reason"]
    assert b"no-such-package-of-run-pipeline" in ran.stream("stderr")


# -- training

TRAINING = f"""{LOOK}
import helper
with open("/opt/ml/model/seen.json", "w") as handle:
    json.dump(dict(argv=sys.argv, cwd=os.getcwd(), helper=helper.__file__, code=below("/opt/ml/code"),
                   program=os.environ["SM_USER_ENTRY_POINT"], path=sys.path[0]), handle)
"""


def training_code(ran: Ran) -> None:
    seen = model(ran)
    assert seen["code"] == ["data/words.txt", "helper.py", "train.py"]
    assert seen["helper"] == "/opt/ml/code/helper.py"


def training_cwd(ran: Ran) -> None:
    seen = model(ran)
    assert (seen["cwd"], seen["argv"], seen["program"]) == ("/opt/ml/code", ["train.py"], "train.py")


def training_module(ran: Ran) -> None:
    seen = model(ran)
    assert seen["argv"] == ["/opt/ml/code/pkg/fit.py", "--depth", "3"]
    assert (seen["cwd"], seen["program"], seen["path"]) == ("/opt/ml/code", "pkg.fit", "/opt/ml/code")


REQUIRES = f"{PACKAGE}=={VERSION}\n"
CASES = [
    Case(
        name="1.code.script-placement",
        points=("1.code.script",),
        pipeline=step("script: load.py", "args: {k: v}", "outputs: [out]"),
        files={"load.py": SCRIPT},
        check=script_alone,
    ),
    Case(
        name="1.code.framework",
        points=("1.code.framework",),
        pipeline=step("source_dir: src", "script: steps/load.py", 'args: [--k, "$HOME it\'s"]', "outputs: [out]"),
        files=FRAMEWORK_FILES,
        check=framework,
    ),
    Case(
        name="1.code.cwd",
        points=("1.code.cwd",),
        pipeline=step("source_dir: src", "script: steps/load.py", 'args: [--k, "$HOME it\'s"]', "outputs: [out]"),
        files=FRAMEWORK_FILES,
        check=framework_cwd,
    ),
    Case(
        name="1.code.framework-module",
        points=("1.code.framework",),
        pipeline=step("source_dir: src", "module: pkg", "args: {k: v}", "outputs: [out]"),
        files=MODULE_FILES,
        check=framework_module,
    ),
    Case(
        name="1.code.framework-archive",
        points=("1.code.framework",),
        pipeline=step("source_dir: code.tar.gz", "script: load.py", "outputs: [out]"),
        files={
            "code.tar.gz": archive(
                load=f"{SEEN}\nfrom lib import helper\ntell(helper=helper.__file__)\n", lib__helper="A = 1\n"
            )
        },
        check=unpacked_archive,
    ),
    Case(
        name="1.code.framework-exit",
        points=("1.code.framework", "1.success"),
        pipeline=step("source_dir: src", "script: load.py"),
        files={"src/load.py": "import sys; print('bad', file=sys.stderr); sys.exit(7)\n"},
        check=no_script_is_started,
        exit_code=1,
    ),
    Case(
        name="1.code.requirements",
        points=("1.code.requirements",),
        pipeline=step("source_dir: src", "script: load.py", "outputs: [out]"),
        files={
            "src/load.py": INSTALLED + 'tell(**where, sockets=sorted(os.listdir("/sys/class/net")))\n',
            "src/requirements.txt": REQUIRES,
        },
        check=installed,
    ),
    Case(
        name="1.code.requirements-again",
        points=("1.code.requirements",),
        pipeline=step("source_dir: src", "script: load.py", "outputs: [out]"),
        files={
            "src/load.py": INSTALLED + 'tell(**where, sockets=sorted(os.listdir("/sys/class/net")))\n',
            "src/requirements.txt": REQUIRES,
        },
        check=installed,
        run=again,
    ),
    Case(
        name="1.code.requirements-by-hand",
        points=("1.code.requirements",),
        pipeline=step("source_dir: src", "script: load.py", "outputs: [out]"),
        files={
            "src/load.py": INSTALLED + 'tell(**where, sockets=sorted(os.listdir("/sys/class/net")))\n',
            "src/requirements.txt": REQUIRES,
        },
        check=installed,
        run=by_hand,
    ),
    Case(
        name="1.code.requirements-missing",
        points=("1.code.requirements",),
        pipeline=step("source_dir: src", "script: load.py"),
        files={"src/load.py": "", "src/requirements.txt": "no-such-package-of-run-pipeline==1\n"},
        check=not_there,
        exit_code=1,
    ),
    Case(
        name="2.script.requirements",
        points=("2.script.requirements",),
        pipeline=training("source_dir: src", "script: train.py", "hyperparameters: {depth: 3}"),
        files={
            "src/train.py": INSTALLED
            + 'open("/opt/ml/model/seen.json", "w").write(json.dumps(dict(where, argv=sys.argv)))\n',
            "src/requirements.txt": REQUIRES,
        },
        check=installed_before_training,
    ),
    Case(
        name="2.script.module",
        points=("2.script.module",),
        pipeline=training("source_dir: src", "module: pkg.fit", "hyperparameters: {depth: 3}"),
        files={"src/pkg/fit.py": TRAINING, "src/pkg/__init__.py": "", "src/helper.py": ""},
        check=training_module,
    ),
    Case(
        name="2.path.code",
        points=("2.path.code",),
        pipeline=training("source_dir: src", "script: train.py"),
        files={"src/train.py": TRAINING, "src/helper.py": "", "src/data/words.txt": ""},
        check=training_code,
    ),
    Case(
        name="2.path.code-archive",
        points=("2.path.code",),
        pipeline=training("source_dir: code.tgz", "script: train.py"),
        files={"code.tgz": archive(train=TRAINING, helper="")},
        check=lambda ran: _equal(model(ran)["code"], ["helper.py", "train.py"]),
    ),
    Case(
        name="2.script.cwd",
        points=("2.script.cwd",),
        pipeline=training("source_dir: src", "script: train.py"),
        files={"src/train.py": TRAINING, "src/helper.py": ""},
        check=training_cwd,
    ),
]


def _equal(found: object, wanted: object) -> None:
    assert found == wanted
