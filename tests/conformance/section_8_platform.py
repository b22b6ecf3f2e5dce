"""The platform around a container: instance types, images by their ECR URI, AWS credentials."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance import serving_image
from conformance.cases import SEEN, Case, Ran, execute
from conformance.ways import cli

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEXAMPLE/session+token=="
HOST = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
ECR = "683313688378.dkr.ecr.us-east-1.amazonaws.com"


@contextmanager
def host_credentials() -> Iterator[None]:
    """This machine has credentials, as long as it lasts."""
    before = {name: os.environ.get(name) for name in HOST}
    os.environ.update(HOST)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def with_credentials(engine: Any, directory: Path) -> Ran:
    with host_credentials():
        return execute(engine, directory)


def nowhere(ran: Ran) -> None:
    """No file of the run but what the scripts wrote themselves holds a secret."""
    own = {ran.output(step.name) for step in (ran.root / "steps").iterdir()}
    for path in ran.root.rglob("*"):
        if path.is_file() and not any(path.is_relative_to(output) for output in own):
            text = path.read_bytes()
            assert SECRET.encode() not in text, path
            assert TOKEN.encode() not in text, path


AWS = SEEN + "tell(aws={k: v for k, v in os.environ.items() if 'AWS' in k or 'SECRET' in k})\n"


def _none(ran: Ran) -> None:
    assert ran.seen("asks")["aws"] == HOST
    assert ran.seen("s")["aws"] == {}
    nowhere(ran)


NONE = Case(
    name="credentials: only the step that asks has them",
    points=("1.env.no-credentials", "1.env.exact"),
    files={"show.py": AWS},
    pipeline="""
image: python
steps:
  asks: {script: show.py, outputs: [out], credentials: environment, network: bridge}
  s: {script: show.py, outputs: [out], inputs: {x: {from: asks.out}}}
""",
    run=with_credentials,
    check=_none,
)

LEAKY = f"""
import os, sys, time
secret = os.environ["AWS_SECRET_ACCESS_KEY"]
print("my key is", secret)
for part in (secret[:11], secret[11:]):  # in two writes, with the time for two reads
    os.write(2, part.encode())
    time.sleep(0.2)
os.makedirs("/opt/ml/output", exist_ok=True)
open("/opt/ml/processing/output/out/x", "w").write("x")
open("/opt/ml/output/message", "w").write("m" * 1000 + secret)  # across the limit of an ExitMessage
open("/opt/ml/no-output-" + os.environ["AWS_SESSION_TOKEN"].replace("/", ""), "w")  # the trace names it
sys.exit("bye " + os.environ["AWS_SESSION_TOKEN"])
{SEEN}
"""


def _masked(ran: Ran) -> None:
    assert ran.stream() == b"my key is ***\n"
    assert ran.stream("stderr") == b"***bye ***\n"
    nowhere(ran)
    assert ran.result()["exit_message"] == "m" * 1000 + "***"
    assert any("without a network" in notice for notice in ran.notices)
    assert any("without a network" in warning for warning in ran.result()["warnings"])


MASKED = Case(
    name="credentials: what a script prints of them is masked",
    points=("1.env.no-credentials",),
    files={"leak.py": LEAKY},
    pipeline="image: python\nsteps:\n  s: {script: leak.py, outputs: [out], credentials: environment}\n",
    run=with_credentials,
    check=_masked,
    exit_code=1,
)


def _run_and_tell(engine: Any, directory: Path) -> Ran:
    """By the command line, in every form that a run can be told in."""
    serving_image.ensure()
    with host_credentials():
        return cli("run", "-v", "--json", "--junit", "runs/report.xml", "pipeline.yaml")(engine, directory)


def _unsaid(ran: Ran) -> None:
    """Neither whole nor in half; the step tells what the server answered all the same."""
    reason = ran.result()["reason"]
    assert "(rows.csv) was answered with 415: xxx" in reason
    told = [path.read_bytes() for path in ran.root.parent.rglob("*") if path.is_file()]
    told += [notice.encode() for notice in ran.notices]
    for text in told:
        assert SECRET[:8].encode() not in text
        assert TOKEN[:8].encode() not in text
    assert [path.name for path in ran.root.parent.glob("*.xml")] == ["report.xml"]
    assert any("was answered with 415" in notice for notice in ran.notices)


def _echo(letters: int) -> Case:
    env = f"{{ANSWER: '415', ECHO: '{letters}'}}"
    return Case(
        name=f"credentials: masked where a server answers with them, {letters} letters before them",
        points=("1.env.no-credentials", "3.invocations"),
        files={"data/rows.csv": "a,1\n"},
        pipeline=f"""
steps:
  s:
    type: transform
    image: {serving_image.TAG}
    inputs: {{data: {{source: data, content_type: text/csv}}}}
    env: {env}
    credentials: environment
    network: bridge
""",
        run=_run_and_tell,
        check=_unsaid,
        exit_code=1,
    )


SDK = f"""{SEEN}
import boto3
found = boto3.Session().get_credentials()
frozen = found.get_frozen_credentials()
names = sorted(name for name in os.environ if name.startswith("AWS"))
tell(method=found.method, values=[frozen.access_key, frozen.secret_key, frozen.token], names=names)
"""


def _sdk(ran: Ran) -> None:
    seen = ran.seen()
    assert seen["method"] == "container-role"
    assert seen["values"] == list(HOST.values())
    assert seen["names"][:2] == ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    assert not set(seen["names"]) & HOST.keys()
    nowhere(ran)


ENDPOINT = Case(
    name="credentials: the SDK finds the container endpoint by its own chain",
    points=("1.env.no-credentials",),
    files={"ask.py": SDK},
    pipeline="image: sklearn\nsteps:\n  s: {script: ask.py, outputs: [out], credentials: endpoint}\n",
    run=with_credentials,
    check=_sdk,
)

SIZES = f"""{SEEN}
def read(*paths):
    return next(open(path).read().split() for path in paths if os.path.exists(path))
config = json.load(open("/opt/ml/config/processingjobconfig.json"))
memory = read("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
tell(cluster=config["ProcessingResources"]["ClusterConfig"], memory=int(memory[0]))
"""


def _instance(ran: Ran) -> None:
    seen = ran.seen()
    assert seen["cluster"]["InstanceType"] == "ml.t3.medium"
    assert seen["memory"] == 4 << 30
    assert ran.seen("large")["cluster"]["InstanceType"] == "ml.r5.24xlarge"
    (notice,) = ran.notices
    assert notice.startswith("large: ml.r5.24xlarge is larger than this machine: limited to ")
    assert ran.result("large")["warnings"] == [notice.removeprefix("large: ")]
    limits = json.loads((ran.root / "steps/large/job.json").read_text())["limits"]
    engine = json.loads((ran.root / "run.json").read_text())["engine"]
    assert (limits["cpus"], limits["memory"]) == (engine["cpus"], engine["memory"])


INSTANCE = Case(
    name="instance type: limits and ClusterConfig, capped to the machine with a word",
    points=("1.config.processingjob",),
    files={"sizes.py": SIZES},
    pipeline="""
image: python
steps:
  s: {script: sizes.py, outputs: [out], instance_type: ml.t3.medium, resources: {cpus: 1}}
  large: {script: sizes.py, outputs: [out], instance_type: ml.r5.24xlarge}
""",
    check=_instance,
)

TRAIN = """
import json, os
seen = {name: os.environ[name] for name in ("SM_CURRENT_INSTANCE_TYPE", "SM_NUM_CPUS", "SM_NUM_GPUS")}
seen["config"] = json.load(open("/opt/ml/input/config/resourceconfig.json"))
print(json.dumps(seen))
open("/opt/ml/model/m", "w").write("m")
"""


def _training_instance(ran: Ran) -> None:
    seen = json.loads(ran.stream())
    assert seen["SM_CURRENT_INSTANCE_TYPE"] == seen["config"]["current_instance_type"] == "ml.g4dn.xlarge"
    assert seen["config"]["instance_groups"][0]["instance_type"] == "ml.g4dn.xlarge"
    assert (seen["SM_NUM_CPUS"], seen["SM_NUM_GPUS"]) == ("4", "0")
    assert any("ml.g4dn.xlarge has 1 GPU (NVIDIA T4); the container has none" in notice for notice in ran.notices)


TRAINING_INSTANCE = Case(
    name="instance type: resourceconfig.json and SM_* of a training step, GPUs that are not there",
    points=("2.file.resourceconfig", "2.script.variables"),
    files={"train.py": TRAIN},
    pipeline="image: python\nsteps:\n  s: {type: training, script: train.py, instance_type: ml.g4dn.xlarge}\n",
    check=_training_instance,
)

URI = SEEN + "tell(uri=json.load(open('/opt/ml/config/processingjobconfig.json'))['AppSpecification']['ImageUri'])\n"
NEAREST_URI = f"{ECR}/sagemaker-base-python:1.0"


def _nearest(ran: Ran) -> None:
    assert ran.seen()["uri"] == ran.seen("mapped")["uri"].replace("pytorch-training:2.1", "sagemaker-base-python:1.0")
    assert ran.result()["image"] == ran.result("mapped")["image"] == "python"
    (notice,) = ran.notices
    assert notice.startswith(f"s: image {NEAREST_URI} is not here, 'python' stands for it: Python ")
    assert ran.result()["warnings"] == [notice.removeprefix("s: ")]
    assert ran.result("mapped")["warnings"] == []


NEAREST = Case(
    name="image: the nearest stands for an ECR URI, a mapping for any, and the config file keeps the URI",
    points=("1.config.processingjob",),
    files={"uri.py": URI},
    pipeline=f"""
images: {{{ECR}/pytorch-training:2.1: python}}
steps:
  s: {{script: uri.py, outputs: [out], image: {NEAREST_URI}}}
  mapped: {{script: uri.py, outputs: [out], image: {ECR}/pytorch-training:2.1}}
""",
    check=_nearest,
)

REAL_URI = f"{ECR}/sagemaker-xgboost:run-pipeline-conformance"


def _with_real_image(engine: Any, directory: Path) -> Ran:
    from runner.engine import images
    from runner.engine.client import client

    docker = client()
    try:
        docker.images.get(images.ensure("python", lambda _: None)).tag(REAL_URI)
        return execute(engine, directory)
    finally:
        docker.images.remove(REAL_URI)
        docker.close()


def _real(ran: Ran) -> None:
    assert ran.result()["image"] == ran.seen()["uri"] == REAL_URI
    assert ran.notices == ()


REAL = Case(
    name="image: a real image that is present wins over the nearest",
    points=("1.config.processingjob",),
    files={"uri.py": URI},
    pipeline=f"steps:\n  s: {{script: uri.py, outputs: [out], image: {REAL_URI}}}\n",
    run=_with_real_image,
    check=_real,
)

CASES = [NONE, MASKED, _echo(3), _echo(290), ENDPOINT, INSTANCE, TRAINING_INSTANCE, NEAREST, REAL]
