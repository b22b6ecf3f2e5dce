"""Which subnet a step's instances get, and what is said when the engine has none; on a client that answers by rule."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import APIError
from pipeline.helpers import Harness, step

from runner.engine import network
from runner.engine.base import Container, Launch, Verdict
from runner.engine.fake import FakeEngine
from runner.errors import EnvironmentFault

NONE_LEFT = "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"
NONE_LEFT_IN_NEWER = "all predefined address pools have been fully subnetted"
TAKEN = "Pool overlaps with other one on this address space"


class Api:
    """Networks by id. `refuse` has, by call of `create_network`, the engine's words for why there is none."""

    def __init__(self, *refuse: str | None) -> None:
        self.refuse = list(refuse)
        self.asked = 0
        self.networks: dict[str, dict[str, Any]] = {}

    def create_network(self, name: str, *, ipam: Any = None, **_: Any) -> dict[str, str]:
        words = self.refuse[min(self.asked, len(self.refuse) - 1)] if self.refuse else None
        self.asked += 1
        if words:
            raise APIError("500 Server Error", explanation=words)
        subnet = ipam["Config"][0]["Subnet"] if ipam else f"172.18.{self.asked}.0/24"
        self.networks[f"id-{self.asked}"] = {"IPAM": {"Config": [{"Subnet": subnet}]}}
        return {"Id": f"id-{self.asked}"}

    def inspect_network(self, identifier: str) -> dict[str, Any]:
        return self.networks[identifier]

    def remove_network(self, identifier: str) -> None:
        del self.networks[identifier]


LAUNCH = cast(Launch, SimpleNamespace(job=SimpleNamespace(step="fit", network="none"), run_id="r"))


def make(api: Api) -> tuple[tuple[str, str], ...]:
    return network.make(cast(Any, api), LAUNCH, ["algo-1", "algo-2"]).addresses


def test_the_network_is_made_with_the_subnet_that_the_engine_would_take() -> None:
    api = Api()
    assert make(api) == (("algo-1", "172.18.1.2"), ("algo-2", "172.18.1.3"))
    assert list(api.networks.values()) == [{"IPAM": {"Config": [{"Subnet": "172.18.1.0/24"}]}}]


@pytest.mark.parametrize("words", [TAKEN, NONE_LEFT])
@pytest.mark.parametrize("call", [0, 1])
def test_what_somebody_else_has_for_a_moment_is_asked_for_again(words: str, call: int) -> None:
    api = Api(*[words if at == call else None for at in range(5)])
    assert len(make(api)) == 2
    assert len(api.networks) == 1


@pytest.mark.parametrize("words", [NONE_LEFT, NONE_LEFT_IN_NEWER, TAKEN])
def test_without_a_free_subnet_the_remedy_is_told(words: str) -> None:
    api = Api(words)
    with pytest.raises(EnvironmentFault) as caught:
        make(api)
    assert str(caught.value) == f"the engine has no free subnet for the instances of step 'fit': {words}"
    assert "`docker network prune`" in caught.value.remedy
    assert api.networks == {}


def test_another_refusal_is_passed_on_at_once() -> None:
    api = Api("plugin not found")
    with pytest.raises(APIError, match="plugin not found"):
        make(api)
    assert api.asked == 1


def test_the_remedy_reaches_the_step_s_result(tmp_path: Path) -> None:
    class Full(FakeEngine):
        def prepare(self, launch: Launch) -> Container:
            make(Api(NONE_LEFT))
            return super().prepare(launch)

    finished = Harness(tmp_path, Full()).execute(fit=step(instance_count=2))
    (result,) = finished.results
    assert result.verdict is Verdict.INFRASTRUCTURE
    assert "no free subnet" in result.reason
    assert "`docker network prune`" in result.warnings[-1]
    assert finished.exit_code == 3
