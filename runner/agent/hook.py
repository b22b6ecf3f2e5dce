"""`sitecustomize` of a staged interpreter: imports early, then waits inside the interpreter's own start-up.

Because the wait is there, the script itself is later opened and run by the interpreter in its ordinary way: `__main__`,
tracebacks, `sys.flags`, `sys.argv` and `atexit` are what they are without us. All traces are removed before it runs,
and this file imports nothing that the interpreter has not loaded by itself: a script's neighbour `json.py` must
win, as it does without us. Python 3.7 syntax. It follows `chain.py` and `environ.py` in one text.
"""

from runner.agent.chain import _runner_chain, _runner_own_path
from runner.agent.environ import _runner_Environment


def _runner_hook():
    import os
    import sys

    numbers = [int(number) for number in os.environ.pop("_RUN_PIPELINE_HOOK").split()]
    go, ready, void, other, out, err = numbers
    modules = os.environ.pop("_RUN_PIPELINE_MODULES").split()
    cwd, code = os.environ.pop("_RUN_PIPELINE_CWD"), os.environ.pop("_RUN_PIPELINE_CODE")
    _runner_own_path()
    own = os.environ.get("PYTHONPATH", "")
    os.write(ready, b"r")
    os.close(ready)
    environment = _runner_Environment()
    _runner_chain()

    missed = set()

    class LastFinder:
        """What is asked of it, no other finder has found: an import that looks in vain for an optional module would
        have found a file of that name beside the script."""

        @staticmethod
        def find_spec(name, *_):
            missed.add(name)

    before = set(sys.modules)
    sys.meta_path.append(LastFinder)
    try:
        for entry in modules:
            name, _, wanted = entry.partition(":")
            __import__(name, fromlist=wanted.split(",") if wanted else ())
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # the script will meet the same error, in its own words
        os._exit(1)  # the agent starts the script again, without early imports
    sys.meta_path.remove(LastFinder)
    if len(sys._current_frames()) > 1 or "pkg_resources" in sys.modules:
        os._exit(1)  # a thread would run on while this waits; that module lists `sys.path`, which is not complete yet
    environment.leave()
    if modules:
        known = "gc" in sys.modules
        import gc

        # What was imported early lives to the end. Without this the interpreter would look through all of it for
        # garbage when it ends, which takes longer than many a script.
        gc.freeze()
        if not known:
            del sys.modules["gc"]
    os.set_blocking(void, False)
    try:
        os.read(void, 1)
        os._exit(1)  # an import wrote something: its place in the script's output would be wrong
    except BlockingIOError:
        pass

    os.read(go, 1)
    early = {name.split(".")[0] for name in (set(sys.modules) - before) | missed}
    if "matplotlib" in early and os.path.exists(os.path.join(cwd, "matplotlibrc")):
        os._exit(1)  # read at the import, from a directory that is mounted only now
    start = {name.split(".")[0] for name in before} | {"sitecustomize", "usercustomize"}
    for place, loaded in [(code, early)] + [(place, early | start) for place in own.split(":")]:
        if os.path.isdir(place) and not loaded.isdisjoint(name.split(".")[0] for name in os.listdir(place)):
            os._exit(1)  # a file there has the name of a module that was imported early, and would have won
        sys.path_importer_cache.pop(place, None)  # it was looked at before this step's data was mounted
    size = os.fstat(other).st_size
    if size and not environment.become(os.pread(other, size, 0)):
        os._exit(1)  # an early import has looked at what is another now
    os.close(other)
    os.chdir(cwd)
    for number, stream in zip((1, 2), (out, err)):  # noqa: B905  Python 3.7 has no strict=
        os.dup2(stream, number)
        os.close(stream)
    os.close(void)
    os.read(go, 1)
    os.close(go)


_runner_hook()
