"""`sitecustomize` of a staged interpreter: imports early, then waits inside the interpreter's own start-up.

Because the wait is there, the script itself is later opened and run by the interpreter in its ordinary way: `__main__`,
tracebacks, `sys.flags`, `sys.argv` and `atexit` are what they are without us. All traces are removed before it runs.
Python 3.7 syntax; standard library only.
"""


def _runner_hook():
    import json
    import os
    import select
    import sys

    settings = json.loads(os.environ.pop("_RUN_PIPELINE_HOOK"))
    if settings["path"] is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = settings["path"]
    sys.path[:] = [entry for entry in sys.path if entry != settings["dir"]]
    sys.path_importer_cache.pop(settings["dir"], None)
    os.write(settings["ready"], b"r")
    os.close(settings["ready"])
    this = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401  the image's own, which this one hid
    except ImportError as error:
        sys.modules["sitecustomize"] = this  # the import system takes it out and puts it back once more
        if error.name != "sitecustomize":
            raise

    try:
        for name in settings["modules"]:
            __import__(name)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # the script will meet the same error, in its own words
        os._exit(1)  # the agent starts the script again, without early imports
    if select.select([settings["void"]], [], [], 0)[0]:
        os._exit(1)  # an import wrote something: its place in the script's output would be wrong

    os.read(settings["go"], 2)
    for number, stream in zip((1, 2), settings["streams"]):  # noqa: B905  Python 3.7 has no strict=
        os.dup2(stream, number)
        os.close(stream)
    os.close(settings["go"])
    os.close(settings["void"])
    os.chdir(settings["cwd"])


_runner_hook()
