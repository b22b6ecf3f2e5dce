"""Threads, children by every start method, and what they print: all of it in an order of its own."""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time


def work(number):
    return number * number, multiprocessing.current_process().name.split("-")[0], sys.argv, __name__


def say(text):
    print(text)


def pools():
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(method, sorted(pool.map(work, range(4)))[:2])
        child = context.Process(target=say, args=(method,))
        child.start()
        child.join()
        print(method, child.exitcode, flush=True)


def children():
    told = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.argv, sys.stdin.read())", "x"], capture_output=True
    )
    print(told)
    print(subprocess.run(["/bin/echo", "no", "shell"], stdout=subprocess.PIPE, check=True).stdout)
    print(subprocess.run("echo $0; exit 3", shell=True).returncode, flush=True)
    try:
        subprocess.run(["/no/such/program"])
    except OSError as error:
        print(repr(error))
    print(subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]).wait(), flush=True)
    environment = subprocess.run(["env", "-0"], stdout=subprocess.PIPE).stdout.split(b"\0")
    print([each for each in environment if not each.startswith((b"_=", b"SHLVL="))])
    listing = "import os; print(sorted(os.listdir('/proc/self/fd'), key=int)[:3], os.umask(0))"
    print(subprocess.run([sys.executable, "-c", listing], stdout=subprocess.PIPE).stdout)


def forks():
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.write(write, ("child %s" % signal.getsignal(signal.SIGINT)).encode())
        print("printed by a fork, and flushed by nobody")
        os._exit(7)
    print(os.read(read, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    pid = os.fork()
    if not pid:
        signal.pause()
    os.kill(pid, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def threads():
    found = []
    workers = [threading.Thread(target=found.append, args=(n,), name="w%d" % n) for n in range(4)]
    for worker in workers:
        worker.start()
        worker.join()
    print(found, threading.current_thread().name, threading.active_count())
    threading.Thread(target=lambda: (time.sleep(0.05), print("a thread after the end of main", flush=True))).start()
    daemon = threading.Thread(target=time.sleep, args=(100,), daemon=True)
    daemon.start()


def handlers():
    got = []
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, lambda number, frame: got.append(signal.Signals(number).name))
        os.kill(os.getpid(), number)
        time.sleep(0)
        signal.signal(number, signal.SIG_DFL)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except KeyboardInterrupt:
        got.append("KeyboardInterrupt")
    read, write = os.pipe()
    os.close(read)
    try:
        os.write(write, b"x")
    except BrokenPipeError as error:
        got.append(str(error))
    print(got)


if __name__ == "__main__":
    atexit.register(print, "registered first, called last")
    atexit.register(print, "registered last, called first")
    handlers()
    forks()
    children()
    pools()
    threads()
    print("end of main")
