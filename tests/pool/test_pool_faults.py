"""What may happen to a pool from outside: it costs time, and never a result."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from pool.warmed import Warmed, alive, docker, keeper_pid, kill, until

from runner.engine.base import Verdict
from runner.engine.pool import channel
from runner.engine.pool.link import Link

pytestmark = pytest.mark.docker


def gone(container: str) -> bool:
    return container not in docker("ps", "-aq", "--no-trunc").split()


def test_a_container_that_is_killed_while_it_waits_is_forgotten(warmed: Warmed) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    docker("kill", ready["id"])
    assert until(lambda: warmed.ready() == [] and gone(ready["id"]))
    assert warmed.script("print(1)").outcome.verdict is Verdict.PASSED


def test_one_that_is_paused_is_not_taken(warmed: Warmed) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    docker("pause", ready["id"])
    ended = warmed.script("print(2)")
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"2\n")
    assert until(lambda: gone(ready["id"]))


def test_one_that_is_removed_is_not_taken(warmed: Warmed) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    docker("rm", "-f", ready["id"])
    ended = warmed.script("print(2)")
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"2\n")


def test_when_the_keeper_is_killed_its_containers_go(warmed: Warmed, pool_dir: Path) -> None:
    found = warmed.stock(warmed.launch("print(1)"), warmed.launch("print(1)", preimport=("json",)))
    kill(keeper_pid(pool_dir))
    assert until(lambda: all(gone(each["id"]) for each in found["ready"]))
    assert warmed.script("print(1)").outcome.verdict is Verdict.PASSED


def test_when_a_run_dies_what_it_had_taken_goes(warmed: Warmed) -> None:
    launch = warmed.launch("import time\ntime.sleep(600)")
    (ready,) = warmed.stock(launch)["ready"]
    link = Link.open()
    assert link is not None
    wish = warmed.engine.share.wish_for(launch, warmed.engine.info().engine_id)
    launch.scratch.mkdir(parents=True)
    lent = link.lend(wish, launch.scratch)
    assert lent is not None and lent.id == ready["id"]
    lent.close()
    link.close()  # as the kernel does it for a process that was killed
    assert until(lambda: gone(ready["id"]) and not launch.scratch.exists())


def test_another_image_behind_the_name_is_noticed(warmed: Warmed) -> None:
    """The tag moves between two runs."""
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    docker("commit", "--change", "LABEL made=anew", ready["id"], "pool-test:anew")
    try:
        other = warmed.engine.image("pool-test:anew")
        assert other.id != warmed.image.id
        warmed.image = other
        container = warmed.engine.prepare(warmed.launch("print(1)"))
        container.remove()
        assert container.id != ready["id"]
    finally:
        docker("rmi", "-f", "pool-test:anew")


def test_without_use_it_ends_by_itself(warmed: Warmed, pool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    pid = keeper_pid(pool_dir)
    monkeypatch.setenv("RUN_PIPELINE_POOL_TTL", "0.5")
    warmed.stock(warmed.launch("print(1)"))
    assert until(lambda: gone(ready["id"]) and not alive(pid))


def test_no_more_memory_than_allowed(warmed: Warmed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_PIPELINE_POOL_MEMORY", "100")
    for number in (1, 2):
        launch = warmed.launch("print(1)", working_dir=f"/tmp/{number}")
        warmed.engine.share.wish_for(launch, warmed.engine.info().engine_id)
    found = warmed.engine.share.stock(lambda: None, wait=True)
    assert len(found["ready"]) == 1
    assert "of 100 MiB" in found["note"]


def test_what_cannot_be_made_is_told(warmed: Warmed) -> None:
    launch = warmed.launch("print(1)", inputs={"data": warmed.root.parent / "nowhere"})
    warmed.engine.share.wish_for(launch, warmed.engine.info().engine_id)
    found = warmed.engine.share.stock(lambda: None, wait=True)
    assert not found["ready"]
    assert "nowhere" in found["note"]


def test_it_ends_on_a_signal_with_all_that_it_holds(warmed: Warmed, pool_dir: Path) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    pid = keeper_pid(pool_dir)
    os.kill(pid, signal.SIGTERM)
    assert until(lambda: not alive(pid) and gone(ready["id"]))


def test_nonsense_on_its_socket_costs_the_sender_its_connection(warmed: Warmed, pool_dir: Path) -> None:
    for text in (b"\0\0\0\x02[]", b"\0\0\0\x0fnot JSON at all", b'\0\0\0\x0d{"op":"none"}', b"\xff\xff\xff\xff"):
        line = socket.socket(socket.AF_UNIX)
        line.connect(channel.socket_path())
        line.sendall(text)
        line.shutdown(socket.SHUT_WR)
        assert line.recv(10) == b""
        line.close()
    assert warmed.ready() == []


def test_a_directory_that_others_may_enter_is_not_trusted(pool_dir: Path, warmed: Warmed) -> None:
    pool_dir.chmod(0o755)
    assert channel.connect() is None
    pool_dir.chmod(0o700)
