#!/usr/bin/env python3
"""A server for the conformance cases: stdlib, told by its environment what to do wrong.

PING (status, 200), ANSWER (status, 200), SLOW (seconds before an answer), DIE (exit status, at the first invocation),
EARLY (exit status, at once, or LATER seconds later), IGNORE (of SIGTERM), BIND (0.0.0.0),
PARAMETERS (body of /execution-parameters), EAT (memory, at the first invocation),
FLAKY (number of invocations that are answered with 503 first),
ECHO (number: an error's body is that many letters, and then its AWS secrets).
OUT (no value: at an invocation it connects to the outside, and writes beside its model).
Each line of its stdout is a JSON document. It answers an invocation with the body's lines in upper case.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SAY = threading.Lock()
BUSY = [0]
CALLS = [0]


def say(**what):
    with SAY:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def model():
    found = {}
    for directory, _, names in os.walk("/opt/ml/model"):
        for name in names:
            path = Path(directory, name)
            found[str(path.relative_to("/opt/ml/model"))] = path.read_text()
    return found


def reach_out():
    Path("/opt/ml/beside").write_text("x")
    try:
        socket.create_connection(("10.9.8.7", 80), 1)
    except OSError:
        return


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        parameters = os.environ.get("PARAMETERS")
        if self.path == "/ping":
            self.answer(int(os.environ.get("PING", "200")), b"")
        elif self.path == "/execution-parameters" and parameters:
            self.answer(200, parameters.encode())
        else:
            self.answer(404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with SAY:
            BUSY[0] += 1
            CALLS[0] += 1
            call = CALLS[0]
        headers = {name: self.headers.get(name) for name in ("Content-Type", "Accept")}
        say(path=self.path, size=len(body), lines=body.count(b"\n"), start=body[:20].decode(), busy=BUSY[0], **headers)
        if "DIE" in os.environ:
            os._exit(int(os.environ["DIE"]))
        if "OUT" in os.environ:
            reach_out()
        if "EAT" in os.environ:
            os.environ["EATEN"] = "x" * (1 << 30)
        time.sleep(float(os.environ.get("SLOW", "0")) * (2 if body.startswith(b"slow") else 1))
        status = 503 if call <= int(os.environ.get("FLAKY", "0")) else int(os.environ.get("ANSWER", "200"))
        with SAY:
            BUSY[0] -= 1
        self.answer(status, body.upper() if status == 200 else self.excuse())

    def excuse(self):
        if "ECHO" not in os.environ:
            return b"this model\nwill not answer"
        secret = [os.environ[name] for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
        return ("x" * int(os.environ["ECHO"]) + " ".join(secret) + json.dumps(dict(os.environ)) * 9).encode()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def stop(number, _frame):
    say(signal=number)
    if "IGNORE" not in os.environ:
        os._exit(0)


signal.signal(signal.SIGTERM, stop)
say(argv=sys.argv[1:], env=dict(os.environ), model=model(), root=sorted(path.name for path in Path("/").iterdir()))
if "EARLY" in os.environ:
    time.sleep(float(os.environ.get("LATER", "0")))
    sys.exit(int(os.environ["EARLY"]))
ThreadingHTTPServer((os.environ.get("BIND", "0.0.0.0"), 8080), Handler).serve_forever()
