"""`sitecustomize` of a staged interpreter: imports early, then waits inside the interpreter's own start-up.

Because the wait is there, the script itself is later opened and run by the interpreter in its ordinary way: `__main__`,
tracebacks, `sys.flags`, `sys.argv` and `atexit` are what they are without us. All traces are removed before it runs.
Python 3.7 syntax; standard library only.
"""


def _runner_hook():
    import json
    import os
    import sys

    settings = json.loads(os.environ.pop("_RUN_PIPELINE_HOOK"))
    if settings["path"] is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = settings["path"]
    sys.path[:] = [entry for entry in sys.path if entry != settings["dir"]]
    sys.path_importer_cache.pop(settings["dir"], None)
    this = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401  the image's own, which this one hid
    except ImportError as error:
        sys.modules["sitecustomize"] = this  # the import system takes it out and puts it back once more
        if error.name != "sitecustomize":
            raise

    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    saved = os.dup(1), os.dup(2)
    os.set_blocking(writer, False)
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    clean = True
    for name in settings["modules"]:
        try:
            __import__(name)
        except Exception:  # the script will meet the same error, in its own words
            clean = False
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except Exception:
            clean = False
    for number, copy in zip((1, 2), saved):  # noqa: B905  Python 3.7 has no strict=
        os.dup2(copy, number)
        os.close(copy)
    os.close(writer)
    try:
        if os.read(reader, 1):
            clean = False
    except BlockingIOError:
        pass
    os.close(reader)
    if not clean:
        os._exit(1)  # the agent starts the script again, without early imports

    os.read(settings["fd"], 2)
    os.close(settings["fd"])
    os.chdir(settings["cwd"])


_runner_hook()
