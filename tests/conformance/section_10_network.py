"""What a trace tells of connections: of a step alone, and of instances that may reach each other."""

from __future__ import annotations

from conformance.cases import OUT, Case, Ran
from conformance.section_10_trace import KEPT, pipeline, says, trace

CONNECTS = f"""
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
socket.gethostbyname("algo-1")
for address in (("example.com", 443), ("10.1.2.3", 80)):
    try:
        socket.create_connection(address, timeout=2)
    except OSError:
        pass
{KEPT}"""


def check_connects(ran: Ran) -> None:
    says("example.com:443, 10.1.2.3:80")(ran)


MEETS = f"""
import json, socket
me = json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"]
peer = "algo-1" if me == "algo-2" else "algo-2"
own, other = (socket.gethostbyname(host) for host in (me, peer))
server = socket.create_server((own, 5000))
def reach(host):
    while True:
        try:
            return socket.create_connection((host, 5000))
        except ConnectionRefusedError:
            pass
reach(peer), reach(other), reach(own)
for _ in range(3):
    server.accept()
if me == "algo-2":
    try:
        socket.create_connection((own.rpartition(".")[0] + ".250", 80), 2)
    except OSError:
        pass
open("{OUT}/" + me, "w").write(other)
"""


def check_meets(ran: Ran) -> None:
    (warning,) = ran.result()["warnings"]
    hosts = trace(ran)["hosts"]
    addresses = {
        name: (ran.output() / other).read_text() for name, other in (("algo-1", "algo-2"), ("algo-2", "algo-1"))
    }
    stranger = addresses["algo-1"].rpartition(".")[0] + ".250:80"
    assert warning == (
        f"algo-2: tried to connect, and the step has no network (`network: bridge` gives it one): {stranger}"
    )
    for name, peer in (("algo-1", "algo-2"), ("algo-2", "algo-1")):
        assert hosts[name]["peers"] == addresses
        assert {f"{peer}:5000", f"{addresses[peer]}:5000"} <= set(hosts[name]["connections"])


CASES = [
    Case(
        name="trace: connections under isolation",
        points=("1.host-resolves",),
        pipeline=pipeline(),
        files={"s.py": CONNECTS},
        check=check_connects,
    ),
    Case(
        name="trace: instances that meet under isolation, and a stranger",
        points=("1.host-resolves",),
        pipeline=pipeline("", ", instance_count: 2"),
        files={"s.py": MEETS},
        check=check_meets,
    ),
]
