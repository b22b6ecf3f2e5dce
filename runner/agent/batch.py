"""The client of a transform step: posts the data to the server and writes its answers, as SageMaker's platform does.

It runs in a container of its own, in the server's network, and like the agent in other people's images: standard
library only, the syntax of Python 3.7, one text (`records.py` and this file). Its one argument is a JSON document:
`data`, `output` (directories), the fields of `runner.sagemaker.job.Transform`, and `port`. It ends with 0 and one JSON
document on stdout, whatever the server did:
  done (bool), files, requests, records (int), notes (list), and of a failure kind, words and answer (texts)
`answer` is the beginning of what the server itself said, on one line: whoever shows it masks and shortens it first.
Any other end means that this program failed, not the server.

Answers are written in the order of the requests. Memory is bounded by `max_concurrent` requests of `max_payload` each,
and as much of each answer; what an answer has beyond that is spooled to the disk.
"""

import collections
import concurrent.futures
import http.client
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time

from runner.agent.records import MEGABYTE, Fault, requests

CHUNK = 1 << 16
PING_SECONDS = 2.0  # for each try
TOLD = 1 << 13  # bytes of what the server said that are told of a failure
NOTES = 20
# Not 127.0.0.1: SageMaker's requests come from outside of the container, and do not reach a server that listens there
# only. Every other loopback address does here what an outside one does there.
HOST = "127.0.0.2"


class Again(Exception):
    """A request that may be sent once more; holds the Fault that it is otherwise."""


class Batch:
    """One job. `counts` and `notes` are written by the main thread alone."""

    def __init__(self, config):
        self.config = config
        self.counts = {"files": 0, "requests": 0, "records": 0}
        self.notes = []
        self.ended = threading.Event()
        self.out = None

    def run(self):
        try:
            self.wait_until_healthy()
            self.ask_for_parameters()
            self.transform()
        except Fault as fault:
            return self.failed(fault.kind, fault.words, fault.answer)
        except OSError as error:  # of files: those of connections are caught where they happen
            return self.failed("disk", str(error), "")
        finally:
            self.ended.set()
        return dict(self.counts, done=True, notes=self.notes)

    def failed(self, kind, words, answer):
        return dict(self.counts, done=False, kind=kind, words=words, answer=answer, notes=self.notes)

    # -- before the data

    def wait_until_healthy(self):
        limit, pause, last, said = self.config["ping_timeout"], 0.05, "", ""
        until = time.monotonic() + limit
        while True:
            left = until - time.monotonic()
            if left <= 0:
                words = "GET /ping did not answer 200 within %g s: %s" % (limit, last + self.near_miss())
                raise Fault("ping", words, said)
            said = ""
            try:
                status, body = self.get("/ping", min(PING_SECONDS, left))
                if status == 200:
                    return
                last, said = "it answered %d" % status, text_of(body)
            except socket.timeout:
                last = "the last try had no answer within %g s" % min(PING_SECONDS, left)
            except OSError as error:
                last = "nothing answers on port %d (%s)" % (self.config["port"], words_of(error))
            except http.client.HTTPException as error:
                last, said = "what it answered is no HTTP (%s)" % type(error).__name__, text_of(str(error).encode())
            time.sleep(max(0.0, min(pause, until - time.monotonic())))
            pause = min(1.0, pause * 1.5)

    def near_miss(self):
        """A word on a server that listens where only its own container can reach it."""
        if self.listens_on("127.0.0.1") and not self.listens_on(HOST):
            return "; it listens on 127.0.0.1 only, and SageMaker calls from outside: bind 0.0.0.0"
        return ""

    def listens_on(self, host):
        try:
            socket.create_connection((host, self.config["port"]), 1).close()
        except OSError:
            return False
        return True

    def ask_for_parameters(self):
        """What the request leaves open, the server may say; without an answer the API's defaults hold."""
        if not self.config["open"]:
            return
        try:
            status, body = self.get("/execution-parameters", PING_SECONDS)
            found = json.loads(body.decode()) if status == 200 else {}
        except (OSError, http.client.HTTPException, ValueError):
            return
        if isinstance(found, dict):
            self.take_parameters(found)

    def take_parameters(self, found):
        names = {"max_payload": "MaxPayloadInMB", "max_concurrent": "MaxConcurrentTransforms"}
        for name, theirs in names.items():
            value = found.get(theirs)
            if name in self.config["open"] and isinstance(value, int) and 1 <= value <= 100:
                self.config[name] = value
        strategies = {"SINGLE_RECORD": "SingleRecord", "MULTI_RECORD": "MultiRecord"}
        strategy = strategies.get(str(found.get("BatchStrategy")), found.get("BatchStrategy"))
        if "strategy" in self.config["open"] and strategy in strategies.values():
            self.config["strategy"] = strategy

    # -- the data

    def transform(self):
        """Requests in the order of the data, some of them at a time; the first fault of any ends it."""
        most = self.config["max_concurrent"]
        waiting = collections.deque()
        pool = concurrent.futures.ThreadPoolExecutor(most)  # not in a `with`: after a fault nothing is waited for
        for request in requests(self.config, self.note):
            answer = pool.submit(self.send, request) if request.body is not None else None
            waiting.append((request, answer))
            while sum(1 for _, each in waiting if each is not None) >= most or len(waiting) > 2 * most:
                self.write_oldest(waiting)
        while waiting:
            self.write_oldest(waiting)
        self.close()

    # -- the answers

    def write_oldest(self, waiting):
        """Wait for the oldest answer, or the first fault of any, and write it."""
        pending = [answer for _, answer in waiting if answer is not None]
        while waiting[0][1] is not None and not waiting[0][1].done():
            concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            pending = [answer for answer in pending if not self.succeeded(answer)]
        request, answer = waiting.popleft()
        if answer is None:
            self.open(request.file)
            return
        with answer.result() as body:
            shutil.copyfileobj(body, self.out, CHUNK)
        if self.config["assemble"] == "Line":
            self.out.write(b"\n")
        self.counts["requests"] += 1
        self.counts["records"] += request.records

    def succeeded(self, answer):
        """Whether it has come; raises its fault."""
        if not answer.done():
            return False
        answer.result()
        return True

    def open(self, path):
        self.close()
        target = os.path.join(os.fsencode(self.config["output"]), path + b".out")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        self.out = open(target, "wb")
        self.counts["files"] += 1

    def close(self):
        if self.out is not None:
            self.out.close()

    # -- HTTP

    def send(self, request):
        """The body of the answer, as a file at its beginning."""
        tries = self.config["max_retries"] + 1
        for number in range(1, tries + 1):
            try:
                return self.post(request)
            except Again as again:
                fault = again.args[0]
                if number == tries:
                    more = " (tried %d times)" % tries if tries > 1 else ""
                    raise Fault(fault.kind, fault.words + more, fault.answer) from None
                if self.ended.wait(min(2.0, 0.2 * 2**number)):
                    raise fault from None
        raise AssertionError("no try is left")

    def post(self, request):
        limit = self.config["invocation_timeout"]
        until = time.monotonic() + limit
        connection = http.client.HTTPConnection(HOST, self.config["port"], timeout=limit)
        try:
            self.put(connection, request.body)
            connection.sock.settimeout(max(0.01, until - time.monotonic()))
            answer = connection.getresponse()
            if answer.status != 200:
                words = "POST /invocations (%s) was answered with %d" % (request.place, answer.status)
                fault = Fault("answer", words, text_of(answer.read(TOLD)))
                raise Again(fault) if answer.status >= 500 or answer.status == 429 else fault
            return self.spool(connection, answer, until)
        except socket.timeout:
            words = "POST /invocations (%s) took longer than %g s" % (request.place, limit)
            raise Again(Fault("answer", words)) from None
        except OSError as error:
            words = "POST /invocations (%s) broke off: %s" % (request.place, words_of(error))
            raise Again(Fault("connection", words)) from error
        except http.client.HTTPException as error:  # its text is what came instead of HTTP
            words = "POST /invocations (%s) broke off: %s" % (request.place, type(error).__name__)
            raise Again(Fault("connection", words, text_of(str(error).encode()))) from error
        finally:
            connection.close()

    def put(self, connection, body):
        connection.putrequest("POST", "/invocations", skip_accept_encoding=True)
        for name, value in (("Content-Type", "content_type"), ("Accept", "accept")):
            if self.config[value] is not None:
                connection.putheader(name, self.config[value].encode())
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)

    def spool(self, connection, answer, until):
        held = tempfile.SpooledTemporaryFile(max_size=self.config["max_payload"] * MEGABYTE)
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise socket.timeout()
            if connection.sock is not None:
                connection.sock.settimeout(left)
            data = answer.read(CHUNK)
            if not data:
                break
            try:
                held.write(data)
            except OSError as error:
                raise Fault("disk", "an answer could not be kept: %s" % words_of(error)) from error
        held.seek(0)
        return held

    def get(self, path, seconds):
        connection = http.client.HTTPConnection(HOST, self.config["port"], timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read(CHUNK)
        finally:
            connection.close()

    def note(self, words):
        if len(self.notes) < NOTES:
            self.notes.append(words)


def words_of(error):
    return "%s" % (getattr(error, "strerror", None) or error or type(error).__name__)


def text_of(body):
    """The beginning of what the server said, on one line."""
    text = " ".join(body[:TOLD].decode("utf-8", "replace").split())
    return "".join(c for c in text if c.isprintable())


if __name__ == "__main__":
    result = Batch(json.loads(sys.argv[1])).run()
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    os._exit(0)  # requests that are still under way are of no use any more
