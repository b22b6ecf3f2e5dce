"""Credentials in real containers, in every start mode: where they arrive, and where they do not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from engine.launches import Workbench

from runner.engine.base import Launch, StartMode, Verdict
from runner.engine.credentials import Credentials
from runner.sagemaker.job import Limits

pytestmark = pytest.mark.docker

WITH_AGENT = pytest.mark.parametrize("mode", [StartMode.STAGED, StartMode.PLAIN], indirect=True)
"""A cold container has none: it is refused an endpoint, and a warning says that `docker inspect` shows the rest."""

GIVEN = Credentials("AKIA", "secret$key/of+the host", token="token", region="eu-west-1", origin="a test")
SHOW_ENVIRONMENT = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('AWS')}))"
ASK = """
import json, os, urllib.error, urllib.request
def ask(path, token):
    request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"].replace("/credentials", path))
    if token:
        request.add_header("Authorization", token)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
"""


def with_credentials(launch: Launch, way: str) -> Launch:
    return dataclasses.replace(launch, job=dataclasses.replace(launch.job, credentials=way), credentials=GIVEN)


def test_the_environment_has_them_verbatim(bench: Workbench, mode: StartMode) -> None:
    launch = bench.launch(SHOW_ENVIRONMENT, mode=mode, env=(("AWS_REGION", "of-the-step"),))
    ended = bench.run(with_credentials(launch, "environment"))
    assert json.loads(ended.stdout) == {**GIVEN.variables(), "AWS_REGION": "of-the-step"}


def test_a_step_that_does_not_ask_has_none(bench: Workbench, mode: StartMode, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the runner")
    assert json.loads(bench.script(SHOW_ENVIRONMENT, mode=mode).stdout) == {}


@WITH_AGENT
@pytest.mark.parametrize("way", ["environment", "endpoint"])
def test_docker_inspect_does_not_show_them_where_there_is_an_agent(
    bench: Workbench, mode: StartMode, way: str, engine: Any
) -> None:
    container = engine.prepare(with_credentials(bench.launch("print(1)", mode=mode), way))
    try:
        shown = json.dumps(engine._api.inspect_container(container.id))
        assert GIVEN.secret_key not in shown
        assert "AKIA" not in shown
        assert container.run(lambda _: None, lambda _: None).verdict is Verdict.PASSED
    finally:
        container.remove()


@WITH_AGENT
def test_the_endpoint_answers_only_whom_it_knows(bench: Workbench, mode: StartMode) -> None:
    script = f"{ASK}\nprint(json.dumps([ask('/credentials', token), ask('/credentials', None), ask('/x', token)]))"
    good, anonymous, elsewhere = json.loads(
        bench.run(with_credentials(bench.launch(script, mode=mode), "endpoint")).stdout
    )
    assert good[0] == 200
    assert good[1].pop("Expiration").endswith("Z")
    assert good[1] == {"AccessKeyId": "AKIA", "SecretAccessKey": GIVEN.secret_key, "Token": "token"}
    assert (anonymous[0], elsewhere[0]) == (401, 404)
    assert "SecretAccessKey" not in {**anonymous[1], **elsewhere[1]}


def test_the_endpoint_tells_when_they_expire(bench: Workbench) -> None:
    launch = with_credentials(bench.launch(f"{ASK}\nprint(ask('/credentials', token)[1]['Expiration'])"), "endpoint")
    ends = dataclasses.replace(GIVEN, expiration="2030-01-02T03:04:05Z")
    assert bench.run(dataclasses.replace(launch, credentials=ends)).stdout == b"2030-01-02T03:04:05Z\n"


def test_a_silent_client_holds_up_nobody_for_long(bench: Workbench) -> None:
    script = f"""{ASK}
import socket
port = int(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"].split(":")[2].split("/")[0])
silent = socket.create_connection(("127.0.0.1", port))
print(ask('/credentials', token)[0])
"""
    ended = bench.run(with_credentials(bench.launch(script), "endpoint"))
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"200\n")


@WITH_AGENT
def test_the_endpoint_takes_no_process_from_the_script_and_ends_with_it(bench: Workbench, mode: StartMode) -> None:
    script = f"{ASK}\nprint(ask('/credentials', token)[0]); os._exit(7)"
    launch = bench.launch(script, mode=mode, limits=Limits(pids=1, grace=1.0))
    ended = bench.run(with_credentials(launch, "endpoint"))
    assert (ended.outcome.verdict, ended.outcome.exit_code, ended.stdout) == (Verdict.EXIT, 7, b"200\n")


def test_an_image_with_a_user_of_its_own_gets_them_too(bench: Workbench) -> None:
    script = f"{ASK}\nprint(os.getuid(), ask('/credentials', token)[0])"
    ended = bench.run(with_credentials(bench.launch(script, user="1234"), "endpoint"))
    assert ended.stdout == b"1234 200\n"
