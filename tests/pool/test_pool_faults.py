"""What may happen to a pool from outside: it costs time, and never a result."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

import pytest
from pool.warmed import Warmed, alive, docker, keeper_pid, kill, until

from runner.cli.warmth import start_keeper
from runner.engine import connect
from runner.engine.base import Verdict
from runner.engine.pool import channel
from runner.engine.pool import link as link_module
from runner.engine.pool.link import Link
from runner.engine.pool.shelf import Limits

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


def test_a_directory_in_the_place_of_the_one_that_it_has_mounted_is_seen(warmed: Warmed, tmp_path: Path) -> None:
    data = tmp_path.parent / f"{tmp_path.name}-data"
    data.mkdir()
    (data / "x").write_text("old")
    script = "print(open('/opt/ml/processing/input/data/x').read())"
    (ready,) = warmed.stock(warmed.launch(script, inputs={"data": data}))["ready"]
    data.rename(data.with_name(f"{data.name}.before"))
    data.mkdir()
    (data / "x").write_text("new")
    container = warmed.engine.prepare(warmed.launch(script, inputs={"data": data}))
    container.remove()
    assert container.id != ready["id"]
    assert warmed.run(warmed.launch(script, inputs={"data": data})).stdout == b"new\n"


def test_the_directory_of_runs_may_be_removed_between_two_runs(warmed: Warmed) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    shutil.rmtree(warmed.root)
    warmed.root.mkdir()
    ended = warmed.run(warmed.launch("print(2)"))
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"2\n")
    assert ready["id"] in warmed.ready()


def test_a_directory_that_was_exchanged_before_it_was_made_is_noticed(warmed: Warmed, tmp_path: Path) -> None:
    data = tmp_path.parent / f"{tmp_path.name}-data"
    data.mkdir()
    launch = warmed.launch("print(1)", inputs={"data": data})
    assert warmed.engine.share.wish_for(launch, warmed.engine.info().engine_id)
    data.rename(data.with_name(f"{data.name}.before"))
    data.mkdir()
    found = warmed.engine.share.stock(lambda: None, wait=True)
    assert not found["ready"]
    assert "no longer the directory that it was" in found["note"]


def test_no_file_of_another_directory_is_written(pool_dir: Path, tmp_path: Path) -> None:
    """Somebody else may have made the directory in /tmp first, with links in it."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (pool_dir / "keeper.log").symlink_to(victim)
    pool_dir.chmod(0o777)
    start_keeper()
    assert victim.read_text() == "precious"
    assert channel.connect() is None
    pool_dir.chmod(0o700)
    (pool_dir / "keeper.log").unlink()


def test_a_keeper_that_does_not_answer_takes_nothing_back(
    warmed: Warmed, pool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had lent before goes on to run."""
    launch = warmed.launch("import time\ntime.sleep(2)\nprint('done')")
    (ready,) = warmed.stock(launch)["ready"]
    container = warmed.engine.prepare(launch)
    assert container.id == ready["id"]
    monkeypatch.setattr(link_module, "PATIENCE", 0.2)
    pid = keeper_pid(pool_dir)
    os.kill(pid, signal.SIGSTOP)
    other = warmed.engine.prepare(warmed.launch("print(1)"))
    other.remove()
    os.kill(pid, signal.SIGCONT)
    out = bytearray()
    outcome = container.run(out.extend, out.extend)
    assert (container.confirm().verdict, bytes(out)) == (Verdict.PASSED, b"done\n"), outcome
    container.remove()


def test_what_a_run_has_taken_outlives_the_keeper(warmed: Warmed, pool_dir: Path) -> None:
    launch = warmed.launch("import time\ntime.sleep(4)\nprint('done')")
    (ready,) = warmed.stock(launch)["ready"]
    container = warmed.engine.prepare(launch)
    assert container.id == ready["id"]
    kill(keeper_pid(pool_dir))
    out = bytearray()
    container.run(out.extend, out.extend)
    assert (container.confirm().verdict, bytes(out)) == (Verdict.PASSED, b"done\n")
    container.remove()
    assert until(lambda: gone(ready["id"]))


def test_more_wishes_than_there_is_room_for_are_answered(warmed: Warmed, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        launch = warmed.launch("print(1)", working_dir=f"/tmp/{number}")
        warmed.engine.share.wish_for(launch, warmed.engine.info().engine_id)
    found = warmed.engine.share.stock(lambda: None, wait=True, limits=Limits(most=2))
    assert len(found["ready"]) == 2
    assert "its most" in found["note"]


def test_nobody_waits_for_another_ones_run(warmed: Warmed) -> None:
    """While containers are lent none is made, and whoever wants to wait for that is told so."""
    launch = warmed.launch("print(1)")
    (ready,) = warmed.stock(launch)["ready"]
    container = warmed.engine.prepare(launch)
    assert container.id == ready["id"]
    other = connect(Link.open(), pooling=True)
    other.share.wish_for(warmed.launch("print(1)", working_dir="/tmp"), warmed.engine.info().engine_id)
    found = other.share.stock(lambda: None, wait=True)
    assert "made when the run that goes on has ended" in found["note"]
    other.close()
    container.remove()
    assert until(lambda: len(warmed.ready()) == 1)
