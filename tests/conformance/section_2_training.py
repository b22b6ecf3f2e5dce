"""Training: paths, config files, archives, failure reasons. Checkpoints and the toolkit have their own sections."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import Any

from conformance.cases import Case, Ran

MODEL = "open('/opt/ml/model/m.bin', 'w').write('model')\n"
STEP = "name: t\nimage: python\nsteps:\n  s:\n    type: training\n    script: train.py\n"


def packed(ran: Ran, name: str, step: str = "s") -> dict[str, bytes | None]:
    """Members of a published archive: content of files, None for directories."""
    (path,) = ran.output(step, name).iterdir()
    assert path.name == f"{name}.tar.gz"
    with tarfile.open(path) as archive:
        return {
            member.name: archive.extractfile(member).read() if member.isfile() else None  # type: ignore[union-attr]
            for member in archive
        }


def told(ran: Ran, step: str = "s") -> Any:
    return json.loads(ran.stream(step=step))


# -- what the container holds

TELL = (
    MODEL
    + """
import json, os
found = {}
for folder, folders, files in os.walk("/opt/ml"):
    found.update({os.path.join(folder, name): None for name in folders})
    for name in files:
        found[os.path.join(folder, name)] = open(os.path.join(folder, name)).read()
jobs = {key: value for key, value in os.environ.items() if key.startswith("TRAINING_JOB")}
print(json.dumps({"found": found, "mine": os.environ["MINE"], "jobs": jobs, "cwd": os.getcwd()}))
"""
)


def _paths(ran: Ran) -> None:
    found = told(ran)["found"]
    config = {path: found.pop(path) for path in list(found) if path.startswith("/opt/ml/input/config/")}
    assert sorted(path.rpartition("/")[2] for path in config) == [
        "hyperparameters.json", "inputdataconfig.json", "resourceconfig.json",
    ]  # fmt: skip
    content = {path.rpartition("/")[2]: json.loads(text) for path, text in config.items()}
    own = {k: v for k, v in content["hyperparameters.json"].items() if not k.startswith("sagemaker_")}
    assert own == {"eta": "0.10", "flag": "yes", "layers": "[1, 2]", "empty": "", "name": "grüße"}
    common = {"TrainingInputMode": "File", "RecordWrapperType": "None"}
    assert content["inputdataconfig.json"] == {
        "train": {"ContentType": "text/csv", "S3DistributionType": "FullyReplicated", **common},
        "val.1": {"S3DistributionType": "ShardedByS3Key", **common},
    }
    assert content["resourceconfig.json"] == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.xlarge",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.xlarge", "hosts": ["algo-1"]}
        ],
        "network_interface_name": "eth0",
    }
    assert "/opt/ml/checkpoints" not in found, "exists only where it is asked for"
    assert found == {
        "/opt/ml/code": None, "/opt/ml/code/train.py": TELL, "/opt/ml/model": None, "/opt/ml/model/m.bin": "model",
        "/opt/ml/input": None, "/opt/ml/input/config": None, "/opt/ml/input/data": None,
        "/opt/ml/input/data/train": None, "/opt/ml/input/data/train/a.csv": "1\n", "/opt/ml/input/data/train/b": None,
        "/opt/ml/input/data/train/b/c.csv": "2\n", "/opt/ml/input/data/val.1": None,
        "/opt/ml/input/data/val.1/v.csv": "3\n", "/opt/ml/output": None, "/opt/ml/output/data": None,
    }  # fmt: skip


def _variables(ran: Ran) -> None:
    seen = told(ran)
    name = seen["jobs"]["TRAINING_JOB_NAME"]
    assert seen["jobs"] == {
        "TRAINING_JOB_NAME": name,
        "TRAINING_JOB_ARN": f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
    }
    assert (seen["mine"], seen["cwd"]) == ("pa$sword", "/opt/ml/code")


CHANNELS = """    env: {MINE: pa$sword}
    hyperparameters: {eta: 0.10, flag: yes, layers: [1, 2], empty: '', name: grüße}
    inputs:
      train: {source: data/train, content_type: text/csv}
      val.1: {source: data/v.csv, distribution: ShardedByS3Key}
"""
DATA = {"train.py": TELL, "data/train/a.csv": "1\n", "data/train/b/c.csv": "2\n", "data/v.csv": "3\n"}

# -- archives

WRITES = """
import json, os, random, sys, time
hurry = sorted(os.listdir('/opt/ml/input/data/order'))
names = ['a', 'deep/er/b', 'c.txt'] if hurry == ['forward'] else ['c.txt', 'deep/er/b', 'a']
for root in ('/opt/ml/model', '/opt/ml/output/data'):
    for number, name in enumerate(names):
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, 'w').write(root + name)
        moment = random.randrange(10**9)
        os.utime(path, (moment, moment))
open('/opt/ml/output/failure', 'w').write('not a failure')
"""
READS = """
import json, os
found = {}
for folder, _, names in os.walk('/opt/ml/processing/input'):
    for name in names:
        if 'code' not in folder:
            path = os.path.join(folder, name)
            found[path] = open(path, 'rb').read(2).hex()
json.dump(found, open('/opt/ml/processing/output/out/seen.json', 'w'))
"""


def _archives(ran: Ran) -> None:
    for name, root in (("model", "/opt/ml/model/"), ("output", "/opt/ml/output/data/")):
        members = {"a": "a", "c.txt": "c.txt", "deep": None, "deep/er": None, "deep/er/b": "deep/er/b"}
        assert packed(ran, name) == {
            at: None if text is None else f"{root.rstrip('/')}{text}".encode() for at, text in members.items()
        }
    digests = {
        step: [hashlib.sha256(next(ran.output(step, name).iterdir()).read_bytes()).hexdigest() for name in PORTS]
        for step in ("s", "again")
    }
    assert digests["s"] == digests["again"], "same content, same digest, whatever the order and the times"
    gzip = b"\x1f\x8b".hex()
    assert ran.seen("use") == {f"/opt/ml/processing/input/{name}/{name}.tar.gz": gzip for name in PORTS}, (
        "the consumer gets the archive, unopened, and nothing else"
    )


PORTS = ("model", "output")
TWICE = """name: t
image: python
steps:
  s: {type: training, script: train.py, inputs: {order: orders/forward}}
  again: {type: training, script: train.py, inputs: {order: orders/backward}}
  use:
    script: use.py
    inputs: {model: {from: s.model}, output: {from: s.output}}
    outputs: [out]
"""

# -- failures

SAYS = MODEL + "open('/opt/ml/output/failure', 'w').write('ü' * 2000)\nraise SystemExit(3)\n"
LEAVES = MODEL + "open('/opt/ml/output/data/part', 'w').write('half')\nraise SystemExit(3)\n"


def _reason(ran: Ran) -> None:
    result = ran.result()
    assert (result["exit_code"], result["exit_message"]) == (3, "ü" * 1024)


def _left(ran: Ran) -> None:
    """Kept for a person, named, and not to be consumed."""
    assert ran.result()["partial"] == {"model": "steps/s/attempt/model", "output": "steps/s/attempt/output"}
    attempt = ran.root / "steps" / "s" / "attempt"
    assert (attempt / "model" / "m.bin").read_text() == "model"
    assert (attempt / "output" / "part").read_text() == "half"
    assert not (ran.root / "steps" / "s" / "outputs").exists()
    states = {step["step"]: step["state"] for step in json.loads((ran.root / "run.json").read_text())["results"]}
    assert states == {"s": "failed", "use": "blocked"}


# -- commands


def _explicit(ran: Ran) -> None:
    seen = told(ran)
    assert seen["argv"] == ["-c", "$HOME", "a b"]
    assert seen["names"] == ["MINE", "TRAINING_JOB_ARN", "TRAINING_JOB_NAME"], "no toolkit, so no SM_* variables"
    assert json.loads(seen["hyperparameters"]) == {"k": "v"}


INSPECT = (
    "import json, os, sys; open('/opt/ml/model/m', 'w').write('m'); "
    "print(json.dumps({'argv': sys.argv, 'hyperparameters': open('/opt/ml/input/config/hyperparameters.json').read(), "
    "'names': sorted(n for n in os.environ if n.startswith(('SM_', 'TRAINING_', 'MINE')))}))"
)


CASES = [
    Case(
        name="2.path: what lies in /opt/ml",
        points=(
            "2.path.config", "2.path.channels", "2.path.checkpoints", "2.file.hyperparameters",
            "2.file.inputdataconfig", "2.file.resourceconfig",
        ),
        pipeline=STEP + CHANNELS,
        files=DATA,
        check=_paths,
    ),
    Case(name="2.env.job", points=("2.env.job",), pipeline=STEP + CHANNELS, files=DATA, check=_variables),
    Case(
        name="T archives, and their consumer",
        points=("T", "2.path.model", "2.path.output-data", "2.consumer.unopened"),
        pipeline=TWICE,
        files={"train.py": WRITES, "use.py": READS, "orders/forward/forward": "1", "orders/backward/backward": "1"},
        check=_archives,
    ),
    Case(name="2.failure", points=("2.failure",), pipeline=STEP, files={"train.py": SAYS}, exit_code=1, check=_reason),
    Case(
        name="2.export-after-failure",
        points=("2.export-after-failure",),
        pipeline=STEP + "  use: {script: use.py, inputs: {model: {from: s.model}}, outputs: [out]}\n",
        files={"train.py": LEAVES, "use.py": READS},
        exit_code=1,
        check=_left,
    ),
    Case(
        name="2.command.explicit",
        points=("2.command.explicit",),
        pipeline="name: t\nsteps:\n  s:\n    type: training\n    image: python\n    env: {MINE: '1'}\n"
        "    hyperparameters: {k: v}\n"
        f"    entrypoint: {json.dumps(['python3', '-c', INSPECT, '$HOME', 'a b'])}\n",
        check=_explicit,
    ),
]  # fmt: skip
