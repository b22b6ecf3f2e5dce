"""From a trace to sentences: the table of what is told, and of what is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from runner.sagemaker.findings import findings
from runner.sagemaker.job import CodeFile, ConfigFile, ContainerJob, HostData, InputMount, Member, OutputMount

JOB = ContainerJob(
    step="s",
    step_type="processing",
    image="python",
    inputs=(
        InputMount("code", "/opt/ml/processing/input/code", CodeFile("/x/s.py")),
        InputMount("data", "/opt/ml/processing/input/data", HostData("/x/data")),
        InputMount("all", "/opt/ml/processing/input", HostData("/x")),
    ),
    outputs=(OutputMount("out", "/opt/ml/processing/output/out"),),
    config=(ConfigFile("/opt/ml/config/resourceconfig.json", "{}"),),
    exit_message="/opt/ml/output/message",
)
TRAINING = dataclasses.replace(
    JOB,
    step_type="training",
    inputs=(),
    outputs=(OutputMount("model", "/opt/ml/model"), OutputMount("output", "/opt/ml/output/data")),
    exit_message="/opt/ml/output/failure",
)


def found(job: ContainerJob = JOB, *, passed: bool = True, **trace: Any) -> tuple[str, ...]:
    trace.setdefault("writes", [])
    trace["writes"] = [path if isinstance(path, list) else [path, path] for path in trace["writes"]]
    return findings({"traced": True, "why": "", **trace}, job, passed=passed)


@pytest.mark.parametrize(
    ("job", "path"),
    [
        (JOB, "/opt/ml/processing/output/out/f"),
        (JOB, "/opt/ml/processing/output/out"),
        (JOB, "/opt/ml/output/message"),
        (JOB, "/opt/ml/config/resourceconfig.json"),
        (JOB, "/opt/ml/processing/input/data/unpacked"),
        (JOB, "/opt/ml/processing/input/beside"),
        (JOB, "/root/.config/matplotlib/x"),
        (TRAINING, "/opt/ml/model/m"),
        (TRAINING, "/opt/ml/output/failure"),
        (dataclasses.replace(TRAINING, checkpoints="/host/kept"), "/opt/ml/checkpoints/1"),
        (TRAINING, "/opt/ml/output/data/x"),
        (TRAINING, "/opt/ml/output/intermediate/x"),
    ],
)
def test_what_is_kept_is_not_told(job: ContainerJob, path: str) -> None:
    assert found(job, writes=[path], left=[path]) == ()


@pytest.mark.parametrize(
    ("job", "path"),
    [
        (JOB, "/opt/ml/processing/output/outer/f"),
        (JOB, "/opt/ml/processing/output/f"),
        (JOB, "/opt/ml/processing/input/code/model.pkl"),
        (JOB, "/opt/ml/output/failure"),
        (JOB, "/opt/ml/checkpoints/1"),
        (JOB, "/opt/ml/.hidden"),
        (JOB, "/srv/result.csv"),
        (JOB, "/optics"),
        (TRAINING, "/opt/ml/output/x"),
        (TRAINING, "/opt/ml/models/m"),
    ],
)
def test_what_is_lost_is_told_by_either_witness(job: ContainerJob, path: str) -> None:
    sentence = (f"SageMaker throws away what is written outside of the outputs: {path}",)
    assert found(job, writes=[path]) == found(job, left=[path]) == found(job, writes=[path], left=[path]) == sentence
    assert found(job, passed=False, writes=[path]) == sentence


def test_checkpoints_that_nobody_keeps_are_told_with_the_cure() -> None:
    (told,) = found(TRAINING, writes=["/opt/ml/checkpoints/1", "/srv/x"])
    assert told == (
        "SageMaker throws away what is written outside of the outputs (`checkpoints: DIRECTORY` keeps "
        "/opt/ml/checkpoints): /opt/ml/checkpoints/1, /srv/x"
    )


def test_a_link_counts_for_where_it_leads() -> None:
    assert found(writes=[["/out/f", "/opt/ml/processing/output/out/f"]]) == ()
    assert found(writes=[["/opt/ml/processing/output/out/f", "/srv/f"]])[0].endswith(
        ": /opt/ml/processing/output/out/f"
    )
    assert len(found(writes=[["/a/f", "/opt/ml/f"]], left=["/opt/ml/f"])) == 1


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("untouched", ("input 'data' was never read",)),
        ("listed", ("input 'data' was listed, but none of its files was read",)),
        ("read", ()),
        ("unknown", ()),
    ],
)
def test_an_idle_input_is_told_of_a_step_that_passed(how: str, words: tuple[str, ...]) -> None:
    assert found(inputs={"data": how, "code": "untouched"}) == words
    assert found(passed=False, inputs={"data": how}) == ()


def test_reads_of_what_will_not_be_there() -> None:
    strange = ["/opt/ml/model/from-the-image", "/.runner/x", "/opt/ml/processing/input/data/f", "/opt/ml/own"]
    told = found(reads=strange, writes=["/opt/ml/own"])
    assert told[1] == (
        "read what no input declares, and SageMaker would not have there: /.runner/x, /opt/ml/model/from-the-image"
    )
    missing = ["/home/me/x.csv", "/opt/ml/processing/inputs/x", "/opt/ml/processing/input/data/none"]
    words = "tried to read what is not there, and no input declares: "
    assert found(missing=["//index.pyx", "/pandas/_libs/x.pxi"], passed=False) == ()  # for a traceback
    assert found(missing=missing) == (f"{words}/opt/ml/processing/inputs/x",)
    assert found(missing=missing, passed=False) == (f"{words}/home/me/x.csv, /opt/ml/processing/inputs/x",)
    assert found(TRAINING, missing=["/opt/ml/input/config/checkpointconfig.json", "/opt/ml/checkpoints/last"]) == ()


def test_connections_are_told_under_isolation_alone() -> None:
    here = ["127.0.0.1:80", "127.9.9.9:1", "::1:80", "localhost", "algo-1", "algo-1:8080", "0.0.0.0:80"]
    assert found(connections=here) == ()
    assert found(connections=[*here, "example.com:443", "bucket"])[0].endswith(": example.com:443, bucket")
    assert found(dataclasses.replace(JOB, network="bridge"), connections=["example.com:443"]) == ()


def test_instances_reach_each_other_under_isolation_and_nothing_else() -> None:
    members = tuple(Member(f"algo-{number}", (), ()) for number in (1, 2))
    job = dataclasses.replace(JOB, instance_count=2, members=members)
    peers = {"algo-1": "172.20.0.2", "algo-2": "172.20.0.3"}
    here = ["algo-2:5000", "algo-2", "algo-1:5000", "172.20.0.2:1", "172.20.0.3:5000", "127.0.0.1:80"]
    assert found(job, peers=peers, connections=here) == ()
    others = ["172.20.0.1:5000", "172.20.0.30:1", "algo-3:1", "algo-22"]
    assert found(job, peers=peers, connections=[*here, *others])[0].endswith(f": {', '.join(others)}")


def test_many_are_counted() -> None:
    assert found(writes=[f"/srv/{number}" for number in range(8)])[0].endswith("/srv/4 and 3 more")


def test_what_could_not_be_traced_is_told_where_it_helps() -> None:
    old = "the image's Python is 3.7.17, older than 3.8"
    assert findings({"traced": False, "why": old}, JOB, passed=True) == (
        f"what the script did could not be traced: {old}",
    )
    assert findings({"traced": False, "why": "the image has no Python to watch it with"}, JOB, passed=True) == ()
