"""Contract 1, what a processing job finds about itself: the two JSON files, its host name, its machine."""

from __future__ import annotations

import re
from typing import Any

from conformance.cases import SEEN, Case, Ran
from conformance.ways import PROBE, on_image, steps

READ = f"""{SEEN}
names = sorted(os.listdir("/opt/ml/config"))
tell(**{{name: json.load(open("/opt/ml/config/" + name)) for name in names}})
"""
FULL = """\
name: demo of_all
image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1
images: {123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1: python}
env: {SHARED: "1", KEY: not this}
steps:
  make: {script: make.py, outputs: [out]}
  s:
    script: read.py
    args: [--rate, "0.10", é]
    env: {KEY: pa$sword}
    inputs:
      dataset: data
      made: {from: make.out, path: /opt/ml/processing/made}
    outputs:
      out:
      report: {path: /opt/ml/processing/report, allow_empty: true}
    timeout: 90.2
"""
S3_INPUT = {
    "S3DataDistributionType": "FullyReplicated",
    "S3DataType": "S3Prefix",
    "S3InputMode": "File",
    "S3CompressionType": "None",
    "S3DownloadMode": "StartOfJob",
}
CLUSTER = {
    "ClusterConfig": {
        "InstanceCount": 1,
        "InstanceType": "ml.m5.xlarge",
        "VolumeSizeInGB": 30,
        "VolumeKmsKeyId": None,
    }
}
FULL_DOCUMENT: dict[str, Any] = {
    "ProcessingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:processing-job/demo-of-all-s-b9ee1083",
    "ProcessingJobName": "demo-of-all-s-b9ee1083",
    "AppSpecification": {
        "ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1",
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/read.py"],
        "ContainerArguments": ["--rate", "0.10", "é"],
    },
    "Environment": {"SHARED": "1", "KEY": "pa$sword"},
    "ProcessingInputs": [
        {
            "InputName": "dataset",
            "S3Input": {
                "LocalPath": "/opt/ml/processing/input/dataset",
                "S3Uri": "s3://local/demo%20of_all/s/input/dataset",
                **S3_INPUT,
            },
        },
        {
            "InputName": "made",
            "S3Input": {
                "LocalPath": "/opt/ml/processing/made",
                "S3Uri": "s3://local/demo%20of_all/make/output/out",
                **S3_INPUT,
            },
        },
        {
            "InputName": "code",
            "S3Input": {
                "LocalPath": "/opt/ml/processing/input/code",
                "S3Uri": "s3://local/demo%20of_all/s/input/code/read.py",
                **S3_INPUT,
            },
        },
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "out",
                "S3Output": {
                    "LocalPath": "/opt/ml/processing/output/out",
                    "S3Uri": "s3://local/demo%20of_all/s/output/out",
                    "S3UploadMode": "EndOfJob",
                },
            },
            {
                "OutputName": "report",
                "S3Output": {
                    "LocalPath": "/opt/ml/processing/report",
                    "S3Uri": "s3://local/demo%20of_all/s/output/report",
                    "S3UploadMode": "EndOfJob",
                },
            },
        ],
        "KmsKeyId": None,
    },
    "ProcessingResources": CLUSTER,
    "RoleArn": "arn:aws:iam::000000000000:role/run-pipeline",
    "StoppingCondition": {"MaxRuntimeInSeconds": 91},
}
BARE_DOCUMENT: dict[str, Any] = {
    "ProcessingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:processing-job/bare-s-d242ed89",
    "ProcessingJobName": "bare-s-d242ed89",
    "AppSpecification": {"ImageUri": PROBE, "ContainerEntrypoint": None, "ContainerArguments": None},
    "Environment": {},
    "ProcessingInputs": [],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "out",
                "S3Output": {
                    "LocalPath": "/opt/ml/processing/output/out",
                    "S3Uri": "s3://local/bare/s/output/out",
                    "S3UploadMode": "EndOfJob",
                },
            }
        ],
        "KmsKeyId": None,
    },
    "ProcessingResources": CLUSTER,
    "RoleArn": "arn:aws:iam::000000000000:role/run-pipeline",
    "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
}
HOSTS = {"current_host": "algo-1", "hosts": ["algo-1"]}


def says(document: dict[str, Any]) -> Any:
    def check(ran: Ran) -> None:
        seen = ran.seen()
        assert list(seen) == ["processingjobconfig.json", "resourceconfig.json"]
        assert seen["processingjobconfig.json"] == document
        assert list(seen["processingjobconfig.json"]) == list(document)
        assert seen["resourceconfig.json"] == HOSTS

    return check


# -- names


def job_names(ran: Ran) -> None:
    names = [ran.seen(step)["processingjobconfig.json"]["ProcessingJobName"] for step in (LONG, OTHER)]
    assert all(re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name) for name in names)
    assert len(set(names)) == 2


LONG, OTHER = "a_b" * 21 + "_", "a-b" * 21 + "-"

# -- the machine

MACHINE = f"""{SEEN}
import socket
tell(
    name=socket.gethostname(), address=socket.gethostbyname("algo-1"), found=socket.getaddrinfo("algo-1", 80)[0][4][0],
    interfaces=sorted(name for _, name in socket.if_nameindex()), shm=os.statvfs("/dev/shm").f_frsize *
    os.statvfs("/dev/shm").f_blocks,
)
"""


def resolves(ran: Ran) -> None:
    isolated, open_ = ran.seen("isolated"), ran.seen("open")
    assert (isolated["name"], open_["name"]) == ("algo-1", "algo-1")
    assert (isolated["address"], isolated["interfaces"]) == ("127.0.0.1", ["lo"])
    assert isolated["found"] == isolated["address"]
    assert open_["found"] == open_["address"] != ""
    assert "eth0" in open_["interfaces"]


def shm(ran: Ran) -> None:
    assert (ran.seen("usual")["shm"], ran.seen("own")["shm"]) == (64 << 20, 8 << 20)


CASES = [
    Case(
        name="1.config, every field", points=("1.config.processingjob", "1.config.resource", "1.limit.job-name"),
        files={
            "read.py": READ, "data/x": "x", "make.py": "open('/opt/ml/processing/output/out/x', 'w').write('x')",
        },
        pipeline=FULL, check=says(FULL_DOCUMENT),
    ),
    Case(
        name="1.config, a command of the image's own", points=("1.config.processingjob", "1.config.resource"),
        pipeline="name: bare\n" + steps(s={"image": PROBE, "outputs": ["out"]}), check=says(BARE_DOCUMENT),
        run=on_image('ENTRYPOINT ["python3", "/read.py"]', files={"read.py": READ}),
    ),
    Case(
        name="1.limit.job-name", points=("1.limit.job-name",), files={"read.py": READ},
        pipeline="name: --Ünï_ cödé--\n" + steps(
            {"script": "read.py", "outputs": ["out"]}, **{LONG: {}, OTHER: {}}
        ),
        check=job_names,
    ),
    Case(
        name="1.host-resolves", points=("1.host-resolves",), files={"s.py": MACHINE},
        pipeline=steps({"script": "s.py", "outputs": ["out"]}, isolated={}, open={"network": "bridge"}),
        check=resolves,
    ),
    Case(
        name="1.unknown.shm", points=("1.unknown.shm",), files={"s.py": MACHINE},
        pipeline=steps(
            {"script": "s.py", "outputs": ["out"]}, usual={}, own={"resources": {"shm_size": "8m"}}
        ),
        check=shm,
    ),
]  # fmt: skip
