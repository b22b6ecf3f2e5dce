"""Several real containers as one step, in each of the three start modes."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from engine import contract
from engine.launches import Workbench
from engine.test_docker_contract import factory

from runner.engine import network
from runner.engine.base import Launch, StartMode, Verdict
from runner.engine.client import client

pytestmark = pytest.mark.docker

TALKS = """
import socket, sys, time
me = socket.gethostname()
peer = {"algo-1": "algo-2", "algo-2": "algo-1"}[me]
assert socket.gethostbyname(me) != socket.gethostbyname(peer)
if me == "algo-1":
    server = socket.create_server((me, 5000))
    print(server.accept()[0].makefile().read(), flush=True)
else:
    until = time.monotonic() + 120
    while True:
        try:
            one = socket.create_connection((peer, 5000), 5)
            break
        except OSError:  # its container may not have begun
            assert time.monotonic() < until
            time.sleep(0.05)
    one.sendall(b"hello from " + me.encode())
"""


def pair(bench: Workbench, mode: StartMode, script: str, *, internet: str = "none") -> Launch:
    members = []
    for number in (1, 2):
        made = bench.launch(script, mode=mode, network=internet)
        job = dataclasses.replace(made.job, hostname=f"algo-{number}", instance_count=2)
        members.append(dataclasses.replace(made, job=job))
    return dataclasses.replace(members[0], members=tuple(members))


@pytest.mark.parametrize("internet", ["none", "bridge"])
def test_hosts_talk_by_name(bench: Workbench, mode: StartMode, internet: str) -> None:
    ended = bench.run(pair(bench, mode, TALKS, internet=internet))
    assert ended.outcome.verdict is Verdict.PASSED, (ended.outcome, ended.stderr)
    assert ended.stdout == b"algo-1 | hello from algo-2\n"


def test_only_an_open_network_leads_out(bench: Workbench) -> None:
    route = "print([line.split()[1:3] for line in open('/proc/net/route')][1:])\n"
    for internet, gateway in (("none", False), ("bridge", True)):
        made = pair(bench, StartMode.PLAIN, route, internet=internet)
        container = bench.engine.prepare(made)
        docker = client()
        try:
            (held,) = docker.api.networks(filters={"label": f"run-pipeline.run={bench.run_id}"})
            assert held["Internal"] is not gateway
            addresses = docker.api.inspect_network(held["Id"])["IPAM"]["Config"]
            assert ("com.docker.network.bridge.inhibit_ipv4" in held["Options"]) is not gateway, addresses
        finally:
            container.remove()
            docker.close()


def test_networks_that_are_made_at_one_time_do_not_collide(bench: Workbench) -> None:
    docker = client()
    made = [bench.launch("") for _ in range(6)]
    try:
        with ThreadPoolExecutor(len(made)) as pool:
            found = list(pool.map(lambda launch: network.make(docker.api, launch, ["algo-1", "algo-2"]), made))
        addresses = [address for peering in found for _, address in peering.addresses]
        assert len(set(addresses)) == 2 * len(made)
    finally:
        kept = bench.engine.sweep(bench.engine.leftovers(bench.run_id))
        docker.close()
    assert kept == []


def test_a_member_that_cannot_be_made_leaves_no_network(bench: Workbench, tmp_path: Path) -> None:
    made = pair(bench, bench.image.mode, "")
    broken = dataclasses.replace(made.members[1], scratch=tmp_path / "file" / "scratch")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Exception, match="could not be prepared"):
        bench.engine.prepare(dataclasses.replace(made, members=(made.members[0], broken)))
    assert bench.engine.leftovers(bench.run_id) == []


def test_instances_are_stopped_with_the_one_that_failed(bench: Workbench, mode: StartMode) -> None:
    """The others may wait for it for ever."""
    engine: Any = bench.engine
    made = contract.clustered(factory(bench, mode), "waits for SIGTERM", "exits 3")
    outcome = contract.run(engine, made).outcome
    assert (outcome.verdict, outcome.reason) == (Verdict.EXIT, "algo-2: exit 3")
