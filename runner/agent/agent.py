"""The first process in every container whose image has Python: it starts the script and holds the leash.

It runs in other people's images, so: standard library only, the syntax of Python 3.7, and one text: `kernel.py`,
`copying.py`, `inputs.py`, `data.py`, `trace.py`, `renew.py`, `script.py`, `credentials.py`, `errands.py` and this file,
joined, are handed to the interpreter (`python3 -I -S -B -c TEXT MODE`). It must not write to stdout or stderr, which
belong to the script. It is PID 1, so it also reaps.

What it is told comes over stdin, one JSON document a line; stdin is attached to the runner:
  {"op": "job", ...}                      first; the fields are made by `job_message` in the engine's creation.py.
                                          Of the pool's containers once more, before `go`: the job that really runs
  {"op": "go"}                            the inputs exist: mount them and let the script run. A byte in the FIFO that
                                          the job names says the same, and is not delayed by a busy engine
  {"op": "stop", "reason": R, "grace": S} SIGTERM to the script, S seconds, SIGKILL to all; may be said again with less
  end of file                             the runner is gone: kill everything, exit

  {"op": "bye"}                           everything has arrived: exit

What it reports comes at the end of the script's own streams, when no process but this one is left to write there: a
trailer that starts with a secret of the job's (`nonce`), on stderr with one JSON document in it:
  exit (int) or signal (int), stopped (null or the reason), oom_kills (int), error (null or [kind, words]),
  notes (list), inputs (what each that it mounted became: overlay, reflink, copy or read-only),
  trace (null or an object: see `trace.py`), and
  clock (the moments `go`, `released`, `reaped` and `told`, as far as they came: seconds of CLOCK_MONOTONIC, which
  the host shares)
It exits only when told so. A script's last bytes are thus never lost to an engine that closes the streams of an ended
container while the runner was suspended. Its own exit status is the script's, or 128 plus the signal's number.
"""

import json
import os
import select
import signal
import sys
import time

from runner.agent.credentials import Endpoint
from runner.agent.data import Placement, give_back, remove_hook
from runner.agent.errands import probe, reclaim
from runner.agent.kernel import (
    PR_SET_DUMPABLE,
    WATCHED,
    Failure,
    MemoryKills,
    end_the_rest,
    libc,
    read_signals,
    signal_descriptor,
    write_all,
)
from runner.agent.script import Staging, open_to_user, script_environment, spawn
from runner.agent.trace import Trace

NOTES = 20  # how many notes a report holds: a script must not be able to make it long


class Agent:
    """Waits on stdin, on children and on the clock, and on nothing else."""

    def __init__(self):
        self.job = None
        self.endpoint = None
        self.trace = None
        self.knock = None  # the FIFO through which `go` may come
        self.placement = None
        self.child = None
        self.waiting = None  # the Staging of an interpreter that was started ahead
        self.told_to_go = False
        self.running = False
        self.stopped = None
        self.kill_at = None
        self.status = None
        self.notes = []
        self.inputs = {}  # by name, what the private mount of each became
        self.sent = {}  # signals that processes in the container sent to this one, counted
        self.error = None
        self.buffer = b""
        self.handles = []
        self.memory = MemoryKills()
        self.clock = {}
        self.signals = signal_descriptor(WATCHED)

    def main(self):
        try:
            while self.status is None:
                self.turn()
        except Exception as error:  # nothing of ours may appear in the script's streams: it goes into the report
            self.fail("agent", "%s: %s" % (type(error).__name__, error), 125)
        return self.finish()

    def turn(self):
        """Wait for one thing to happen, and deal with it."""
        left = None if self.kill_at is None else max(0.0, self.kill_at - time.monotonic())
        seen = self.trace.ends() if self.trace else []
        knock = [] if self.knock is None else [self.knock]
        ready, _, _ = select.select([0, self.signals, *knock, *seen, *self.staging_ends()], [], [], left)
        if seen and seen[0] in ready:
            self.trace.take()
        if self.waiting and not self.waiting.loaded and self.waiting.ready[0] in ready:
            self.waiting.loaded = True
            remove_hook()
        elif self.waiting and self.waiting.void[0] in ready:
            os.kill(self.child, signal.SIGKILL)  # an early import writes: its place in the output would be wrong
            os.read(self.waiting.void[0], 1 << 16)
        if self.signals in ready:
            self.take_signals()
        if knock and self.knock in ready and self.status is None and os.read(self.knock, 1):
            self.on_go(None)
        elif self.told_to_go and not self.running and self.status is None:
            self.try_to_go()
        if 0 in ready and self.status is None:
            self.read()
        if self.kill_at is not None and time.monotonic() >= self.kill_at and self.status is None:
            self.kill_at = None
            os.kill(-1, signal.SIGKILL)

    def staging_ends(self):
        if not self.waiting or (self.running and not self.waiting.untouched()):
            return []
        return [self.waiting.void[0]] + ([] if self.waiting.loaded else [self.waiting.ready[0]])

    def fail(self, kind, words, status):
        self.error, self.status = [kind, words], status

    def take_signals(self):
        for number, sender in read_signals(self.signals):
            if number == signal.SIGCHLD:
                self.reap()
            elif sender:
                self.sent[number] = self.sent.get(number, 0) + 1
            else:
                self.from_outside(number)

    def from_outside(self, number):
        """`docker stop` and the like: the script is told, and the runner learns that it was not the script's doing."""
        if self.stopped is None:
            self.stopped = "outside:" + signal.Signals(number).name
        self.signal_script(number)

    def signal_script(self, number):
        if self.running and self.child and self.status is None:
            try:
                os.kill(self.child, number)
            except ProcessLookupError:
                pass
        elif not self.running:
            self.status = -number

    def read(self):
        data = os.read(0, 1 << 20)
        if not data:
            self.stopped = "leash"
            self.status = -signal.SIGKILL
            return
        self.buffer += data
        while b"\n" in self.buffer and self.status is None:
            line, self.buffer = self.buffer.split(b"\n", 1)
            message = json.loads(line.decode())
            getattr(self, "on_" + message["op"])(message)

    def on_job(self, message):
        earlier, self.job = self.job, message
        owned = [path for path in message["owned"] if os.path.isdir(path)]
        self.handles = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in owned]
        if message["staged"]:
            self.placement = Placement(message)
            self.placement.prepare()
            self.listen(message["knock"])
        if earlier is not None:
            self.take_other_job(message)
            return
        if message["endpoint"]:
            self.endpoint = Endpoint(message["endpoint"])
            message["env"] += self.endpoint.variables()
        self.trace = Trace(message) if message["trace"] else None
        if message["staged"] and message["preload"]:
            self.waiting = Staging()
            os.makedirs(message["cwd"], exist_ok=True)
            try:
                self.child = self.waiting.start(message, script_environment(message), self.trace)
            except (Failure, OSError):
                self.waiting = None  # the plain start at `go` meets the same fault, and reports it

    def take_other_job(self, message):
        """The engine gives a container only jobs that agree with the first in all that is fixed at a start."""
        if self.trace is not None:
            self.trace.wanted = message["trace"]
        if self.waiting is not None and not self.waiting.renew(self.child, message, script_environment(message)):
            self.waiting = None
            ended, self.child = self.child, None
            os.kill(ended, signal.SIGKILL)  # `let_go` starts the script anew

    def listen(self, fifo):
        try:
            self.knock = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            pass  # `go` comes over stdin

    def on_go(self, _message):
        self.clock["go"] = time.monotonic()
        if self.knock is not None:
            os.close(self.knock)
            self.knock = None
        self.told_to_go = True
        self.try_to_go()

    def try_to_go(self):
        """Mount and let run, but not before a staged interpreter sits in its hook, or has ended."""
        if self.waiting is not None and not self.waiting.loaded:
            return
        try:
            self.let_go(self.job)
        except Failure as failure:
            self.fail(failure.args[0], failure.args[1], 126)

    def let_go(self, job):
        if self.placement is not None:
            self.placement.finish(self.inputs, self.notes)
        open_to_user(job)
        libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # the script, root too, may not look at this process's files
        if not os.path.isdir(job["cwd"]):
            os.makedirs(job["cwd"])
        if self.endpoint:
            self.endpoint.serve()
        if self.trace is not None:
            self.trace.watch()
        self.running = True
        self.clock["released"] = time.monotonic()
        if self.waiting is None:
            self.child = spawn(job, script_environment(job), trace=self.trace)
        else:
            self.waiting.let_go()

    def on_stop(self, message):
        self.reap()  # a script that has just ended by itself was not stopped
        if self.status is None and self.stopped is None:
            self.stopped = message["reason"]
            self.signal_script(signal.SIGTERM)
        until = time.monotonic() + message["grace"]
        self.kill_at = until if self.kill_at is None else min(self.kill_at, until)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.child_ended(status)

    def child_ended(self, status):
        if self.never_ran() and self.stopped is None:
            # An early import wrote something, failed or crashed, or a file of the script's own would have been imported
            # in its place: a plain start, so that the script meets what it would meet without us.
            self.waiting = None
            self.child = spawn(self.job, script_environment(self.job), trace=self.trace) if self.running else None
            return
        self.clock["reaped"] = time.monotonic()
        self.status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def never_ran(self):
        """Whether the staged interpreter ended before it took its `go`."""
        return self.waiting is not None and (not self.running or self.waiting.untouched())

    def finish(self):
        end_the_rest(self.signals)
        if self.job is not None:
            try:
                if self.job["give_back"]:
                    give_back(self.handles, self.job["uid"], self.job["gid"], self.notes)
            except OSError as error:
                self.notes.append("not handed back: %s" % error)
            self.report()
        return self.status if self.status >= 0 else 128 - self.status

    def report(self):
        """The trailers, and then a wait until they have arrived. A broken stream means that nobody listens any more."""
        start = b"\0" + self.job["nonce"].encode() + b":"
        try:
            for stream in (1, 2):  # the script may have set O_NONBLOCK on the pipe that it shared with this process
                os.set_blocking(stream, True)
            write_all(1, start + b"\n")
            write_all(2, start + json.dumps(self.summary()).encode() + b"\n")
            while b'"bye"' not in self.buffer:
                data = os.read(0, 1 << 16)
                if not data:
                    return
                self.buffer += data
        except OSError:
            return

    def summary(self):
        ended = {"exit": self.status} if self.status >= 0 else {"signal": -self.status}
        notes = [
            "a process in the container sent %s to PID 1, which is not the script here: it had no effect (%d times)"
            % (signal.Signals(number).name, count)
            for number, count in sorted(self.sent.items())
        ] + self.notes[:NOTES]
        if len(self.notes) > NOTES:
            notes.append("and %d more" % (len(self.notes) - NOTES))
        ended.update(
            stopped=self.stopped, oom_kills=self.memory.count(), error=self.error, notes=notes, inputs=self.inputs
        )
        ended["trace"] = self.what_it_did()
        self.clock["told"] = time.monotonic()
        return dict(ended, clock=self.clock)

    def what_it_did(self):
        """The trace; a fault in it costs nothing but the trace."""
        if self.trace is None or not self.running:
            return None
        try:
            return self.trace.summary()
        except Exception as error:
            return {"traced": False, "why": "%s: %s" % (type(error).__name__, error)}


if __name__ == "__main__":
    mode = sys.argv[1]
    os._exit(Agent().main() if mode == "run" else probe() if mode == "probe" else reclaim(sys.argv[2:]))
