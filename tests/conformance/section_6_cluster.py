"""Several instances of one step, and what a step can reach on the network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.cases import OUT, SEEN, Case, Ran, execute

PATIENCE = 60
HOST = f"""
import json, os, socket, sys, time
ME = json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"]
def put(name, text):
    os.makedirs(os.path.dirname({OUT!r} + "/" + name), exist_ok=True)
    with open({OUT!r} + "/" + name, "w") as handle:
        handle.write(text)
def reach(host, port=5000):
    until = time.monotonic() + {PATIENCE}
    while True:
        try:
            return socket.create_connection((host, port), 5)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
def listen(port=5000):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((socket.gethostbyname(ME), port))
    server.listen()
    return server
"""
"""Prefix for a script that runs on several hosts."""


def step(count: int, more: str = "", head: str = "") -> str:
    return f"""
image: python
steps:
{head}  s:
    script: s.py
    instance_count: {count}
{more}    outputs: [out]
"""


MAKE = "  make:\n    script: make.py\n    outputs: [out]\n"
SHARDED = "    inputs:\n      data: {from: make.out, distribution: ShardedByS3Key}\n"
DEALT = 'put(ME + ".txt", " ".join(sorted(os.listdir("/opt/ml/processing/input/data"))))'


def hosts(ran: Ran) -> dict[str, dict[str, Any]]:
    return {host["host"]: host for host in ran.result()["hosts"]}


def _all_waited_for(ran: Ran) -> None:
    ended = hosts(ran)
    assert [ended[host]["exit_code"] for host in ("algo-1", "algo-2")] == [0, 0]
    assert ended["algo-2"]["seconds"] > ended["algo-1"]["seconds"]
    assert {path.name for path in ran.output().iterdir()} == {"algo-1", "algo-2"}


def _talked(ran: Ran) -> None:
    for host in ("algo-1", "algo-2", "algo-3"):
        seen = json.loads((ran.output() / f"{host}.json").read_text())
        assert seen["heard"] == ["algo-1", "algo-2", "algo-3"]
        assert len(set(seen["addresses"])) == 3
        assert seen["addresses"] == seen["after"]


def _files_of_each_host(ran: Ran) -> None:
    for number in (1, 2):
        seen = json.loads((ran.output() / f"algo-{number}.json").read_text())
        assert seen["resource"] == {"current_host": f"algo-{number}", "hosts": ["algo-1", "algo-2"]}
        assert seen["hostname"] == f"algo-{number}"
        assert seen["job"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
        (sharded, replicated, _) = seen["job"]["ProcessingInputs"]
        assert sharded["S3Input"]["S3DataDistributionType"] == "ShardedByS3Key"
        assert replicated["S3Input"]["S3DataDistributionType"] == "FullyReplicated"


def _dealt_once(ran: Ran) -> None:
    parts = [(ran.output() / f"algo-{number}.txt").read_text().split() for number in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == [f"{n}.csv" for n in range(7)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    made = ran.output("make")
    assert {path.name: path.read_text() for path in made.iterdir()} == {f"{n}.csv": str(n) for n in range(7)}


def _one_without(ran: Ran) -> None:
    assert (ran.output() / "algo-1.txt").read_text() == "0.csv"
    assert (ran.output() / "algo-2.txt").read_text() == ""
    assert any("nothing for algo-2" in text for text in ran.result()["warnings"]), ran.result()


def _united(ran: Ran) -> None:
    found = {str(path.relative_to(ran.output())): path.read_text() for path in ran.output().rglob("*.txt")}
    expected = {"algo-1.txt": "1", "algo-2.txt": "2", "deep/algo-1.txt": "1", "deep/algo-2.txt": "2"}
    assert found == {**expected, "same.txt": "same", "clash.txt": "algo-1"}
    (warning,) = ran.result()["warnings"]
    assert "clash.txt" in warning
    assert "algo-1 is kept" in warning


def _one_failed(ran: Ran) -> None:
    result, ended = ran.result(), hosts(ran)
    assert (result["verdict"], result["exit_code"], result["failed_host"]) == ("exit", 3, "algo-2")
    assert result["reason"].startswith("algo-2: exit 3")
    assert "algo-1" not in result["reason"]
    assert (ended["algo-1"]["verdict"], ended["algo-1"]["peer"]) == ("cancelled", True)
    assert result["outputs"] == {}
    assert result["partial"] == {"algo-1/out": "steps/s/hosts/algo-1/attempt/out"}
    assert (ran.root / result["partial"]["algo-1/out"] / "partial.txt").read_text() == "so far"
    assert result["exit_message"] == "algo-1 waits. algo-2 has no data."


def _streams(ran: Ran) -> None:
    lines = ran.stream().splitlines()
    assert sorted(lines) == sorted(
        b"%s | %s" % (host, text) for host in (b"algo-1", b"algo-2") for text in (b"one", b"\xfftwo", b"open end")
    )
    for host in ("algo-1", "algo-2"):
        own = ran.root / "steps/s/hosts" / host
        assert (own / "stdout").read_bytes() == b"one\n\xfftwo\nopen end"
        assert (own / "stderr").read_bytes() == b"err\n"


def _trained(ran: Ran) -> None:
    import tarfile

    with tarfile.open(ran.output("s", "model") / "model.tar.gz") as packed:
        files = {name: packed.extractfile(name).read() for name in packed.getnames()}  # type: ignore[union-attr]
    assert sorted(files) == ["algo-1.json", "algo-2.json"]
    for host, text in ((name.removesuffix(".json"), text) for name, text in files.items()):
        seen = json.loads(text)
        assert seen["resource"]["current_host"] == seen["SM_CURRENT_HOST"] == seen["CURRENT_HOST"] == host
        assert seen["resource"]["hosts"] == json.loads(seen["SM_HOSTS"]) == ["algo-1", "algo-2"]
        assert seen["resource"]["instance_groups"][0]["hosts"] == ["algo-1", "algo-2"]
        assert seen["resource"]["network_interface_name"] in seen["interfaces"]
        training = json.loads(seen["SM_TRAINING_ENV"])
        assert (training["current_host"], training["is_master"]) == (host, host == "algo-1")
        assert json.loads(seen["SM_RESOURCE_CONFIG"]) == seen["resource"]
        assert seen["inputs"]["train"]["S3DistributionType"] == "ShardedByS3Key"
        assert seen["files"] == [{"algo-1": "a.csv", "algo-2": "b.csv"}[host]]


def _isolated(ran: Ran) -> None:
    seen = ran.seen()
    assert seen["own"] == "pong"
    assert seen["local"] == "pong"
    assert seen["outside"] == seen["bridge"] == seen["name"] == "refused"
    assert seen["slowest"] < 10


def _isolated_cluster(ran: Ran) -> None:
    for host in ("algo-1", "algo-2"):
        assert json.loads((ran.output() / f"{host}.json").read_text()) == {"peer": "reached", "outside": "shut"}


def _bridge(ran: Ran) -> None:
    seen = ran.seen()
    assert seen["interfaces"] == ["eth0", "lo"]
    assert seen["gateway"] != "00000000"
    assert seen["own"] != "127.0.0.1"


def _listening(engine: Any, directory: Path) -> Ran:
    """The host itself listens on every address, also on that of Docker's bridge, where a script may look for it."""
    import ipaddress
    import socket

    from runner.engine.client import client

    connected = client()
    pool = connected.api.inspect_network("bridge")["IPAM"]["Config"][0]
    bridge = pool.get("Gateway") or str(ipaddress.ip_network(pool["Subnet"])[1])
    connected.close()
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection((bridge, port), 5).close()
        script = (directory / "s.py").read_text().replace("@PORT@", str(port)).replace("@BRIDGE@", bridge)
        (directory / "s.py").write_text(script)
        return execute(engine, directory)


def _after(signum: signal.Signals) -> Callable[[Any, Path], Ran]:
    def run(engine: Any, directory: Path) -> Ran:
        program = Path(sys.executable).with_name("run-pipeline")
        process = subprocess.Popen([program, "pipeline.yaml"], cwd=directory, stdout=subprocess.PIPE, stderr=-2)
        try:
            _until(lambda: len(list(directory.glob("runs/2*/steps/s/hosts/*/config/1/message"))) == 2)
            (root,) = directory.glob("runs/2*")
            held = {each.kind for each in engine.leftovers(root.name)}
            assert {"container", "network"} <= held, held
            os.kill(process.pid, signum)
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        _until(lambda: engine.leftovers(root.name) == [])
        return Ran(root, process.returncode, ())

    return run


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _cancelled(ran: Ran) -> None:
    assert {host["verdict"] for host in ran.result()["hosts"]} == {"cancelled"}


def _never_told(ran: Ran) -> None:
    assert json.loads((ran.root / "run.json").read_text())["status"] == "running"
    assert not (ran.root / "steps/s/result.json").exists()


WAITS = (
    HOST
    + """
open("/opt/ml/output/message", "w").write(ME)
time.sleep(600)
"""
)

CASES = [
    Case(
        name="P11",
        points=("P11", "1.success", "1.limit.instances"),
        pipeline=step(2),
        files={
            "s.py": HOST
            + """
if ME == "algo-2":
    listen().accept()[0].recv(1)  # the end of algo-1, whose connection closes with it
    time.sleep(0.5)
else:
    keep = reach("algo-2")
put(ME, "")
"""
        },
        check=_all_waited_for,
    ),
    Case(
        name="2.script.hosts",
        points=("2.script.hosts", "1.host-resolves"),
        pipeline=step(3),
        files={
            "s.py": HOST
            + """
import threading
ALL = ["algo-1", "algo-2", "algo-3"]
addresses = [socket.gethostbyname(host) for host in ALL]
server, heard = listen(), []
def hear():
    for _ in ALL:
        with server.accept()[0] as one:
            heard.append(one.makefile().readline().strip())
thread = threading.Thread(target=hear)
thread.start()
for host in ALL:
    with reach(host) as one:
        one.sendall(ME.encode() + b"\\n")
thread.join()
server.close()
if ME == "algo-3":  # the others have ended, or will soon: their names stay
    for host in ALL[:2]:
        while True:
            try:
                socket.create_connection((host, 6000), 1).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            except OSError:
                break
after = [socket.gethostbyname(host) for host in ALL]
put(ME + ".json", json.dumps({"heard": sorted(heard), "addresses": addresses, "after": after}))
"""
        },
        check=_talked,
    ),
    Case(
        name="6.config",
        points=("1.config.resource", "1.config.processingjob"),
        pipeline=step(
            2, "    inputs:\n      data: {source: data, distribution: ShardedByS3Key}\n      all: {source: data}\n"
        ),
        files={
            "data/a": "a",
            "data/b": "b",
            "s.py": HOST
            + """
read = lambda name: json.load(open("/opt/ml/config/" + name))
seen = {"resource": read("resourceconfig.json"), "job": read("processingjobconfig.json")}
put(ME + ".json", json.dumps({**seen, "hostname": socket.gethostname()}))
""",
        },
        check=_files_of_each_host,
    ),
    Case(
        name="6.sharded",
        points=("1.path.inputs-private",),
        pipeline=step(3, SHARDED, MAKE),
        files={
            "make.py": f"for n in range(7): open({OUT!r} + f'/{{n}}.csv', 'w').write(str(n))",
            "s.py": HOST
            + DEALT
            + """
for name in os.listdir("/opt/ml/processing/input/data"):
    open("/opt/ml/processing/input/data/" + name, "w").write("mine alone")
""",
        },
        check=_dealt_once,
    ),
    Case(
        name="6.sharded.fewer",
        points=("1.success",),
        pipeline=step(2, SHARDED, MAKE),
        files={"make.py": f"open({OUT!r} + '/0.csv', 'w')", "s.py": HOST + DEALT},
        check=_one_without,
    ),
    Case(
        name="6.union",
        points=("1.success",),
        pipeline=step(2),
        files={
            "s.py": HOST
            + """
put(ME + ".txt", ME[-1])
put("deep/" + ME + ".txt", ME[-1])
put("same.txt", "same")
put("clash.txt", ME)
"""
        },
        check=_united,
    ),
    Case(
        name="6.one-fails",
        points=("1.success", "1.message.exit"),
        pipeline=step(2),
        files={
            "s.py": HOST
            + """
if ME == "algo-2":
    reach("algo-1").close()
    open("/opt/ml/output/message", "w").write("algo-2 has no data.")
    sys.exit(3)
put("partial.txt", "so far")
open("/opt/ml/output/message", "w").write("algo-1 waits. ")
server = listen()
server.accept()
server.accept()  # for ever
"""
        },
        exit_code=1,
        check=_one_failed,
    ),
    Case(
        name="6.streams",
        points=("L",),
        pipeline=step(2).replace("[out]", "{out: {allow_empty: true}}"),
        files={
            "s.py": "import sys\nsys.stdout.buffer.write(b'one\\n\\xfftwo\\nopen end')\nsys.stderr.write('err\\n')",
        },
        check=_streams,
    ),
    Case(
        name="2.cluster",
        points=("2.file.resourceconfig", "2.file.inputdataconfig", "2.script.variables", "2.path.model"),
        pipeline="""
image: python
steps:
  s:
    type: training
    script: s.py
    instance_count: 2
    inputs:
      train: {source: data, distribution: ShardedByS3Key}
""",
        files={
            "data/a.csv": "a",
            "data/b.csv": "b",
            "s.py": """
import json, os, socket
read = lambda name: json.load(open("/opt/ml/input/config/" + name))
seen = {name: os.environ[name] for name in os.environ if name.startswith(("SM_", "CURRENT"))}
seen["resource"], seen["inputs"] = read("resourceconfig.json"), read("inputdataconfig.json")
seen["interfaces"] = [name for _, name in socket.if_nameindex()]
seen["files"] = os.listdir("/opt/ml/input/data/train")
with open("/opt/ml/model/" + os.environ["SM_CURRENT_HOST"] + ".json", "w") as handle:
    json.dump(seen, handle)
""",
        },
        check=_trained,
    ),
    Case(
        name="6.isolated.one",
        points=("1.host-resolves",),
        pipeline=step(1),
        run=_listening,
        files={
            "s.py": SEEN
            + """
import socket, threading, time
server = socket.create_server(("", 7000))
def serve():
    while True:
        server.accept()[0].sendall(b"pong")
threading.Thread(target=serve, daemon=True).start()
took = []
def attempt(host, port):
    began = time.monotonic()
    try:
        with socket.create_connection((host, port), 30) as one:
            return one.recv(4).decode()
    except OSError:
        return "refused"
    finally:
        took.append(time.monotonic() - began)
tell(own=attempt("algo-1", 7000), local=attempt("localhost", 7000), outside=attempt("8.8.8.8", 53),
     bridge=attempt("@BRIDGE@", @PORT@), name=attempt("example.com", 80), slowest=max(took))
"""
        },
        check=_isolated,
    ),
    Case(
        name="6.isolated.cluster",
        points=("1.host-resolves",),
        pipeline=step(2),
        run=_listening,
        files={
            "s.py": HOST
            + """
import threading
server = listen()
def answer():
    while True:
        server.accept()[0].close()
threading.Thread(target=answer, daemon=True).start()
peer = "algo-1" if ME == "algo-2" else "algo-2"
reach(peer).close()
own = socket.gethostbyname(ME).rpartition(".")[0]
open_ = []
for host, port in [("8.8.8.8", 53), ("@BRIDGE@", @PORT@), (own + ".1", @PORT@), ("example.com", 80)]:
    try:
        socket.create_connection((host, port), 5).close()
        open_.append(host)
    except OSError:
        pass
put(ME + ".json", json.dumps({"peer": "reached", "outside": " ".join(open_) or "shut"}))
other = socket.socket()
other.bind((socket.gethostbyname(ME), 5001))
other.listen()
keep = reach(peer, 5001)  # each waits for the other, which may still be trying
other.accept()
"""
        },
        check=_isolated_cluster,
    ),
    Case(
        name="6.bridge",
        points=("1.host-resolves",),
        pipeline=step(1, "    network: bridge\n"),
        files={
            "s.py": SEEN
            + """
import socket
routes = [line.split() for line in open("/proc/net/route")][1:]
tell(interfaces=sorted(name for _, name in socket.if_nameindex()), own=socket.gethostbyname("algo-1"),
     gateway=next((route[2] for route in routes if route[1] == "00000000"), "00000000"))
"""
        },
        check=_bridge,
    ),
    Case(
        name="6.sigterm",
        points=("K", "D"),
        pipeline=step(2),
        files={"s.py": WAITS},
        run=_after(signal.SIGTERM),
        exit_code=143,
        check=_cancelled,
    ),
    Case(
        name="6.sigkill",
        points=("K", "D"),
        pipeline=step(2),
        files={"s.py": WAITS},
        run=_after(signal.SIGKILL),
        exit_code=-9,
        check=_never_told,
    ),
]
