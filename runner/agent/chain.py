"""Takes our `sitecustomize` out of an interpreter that is starting, and lets the image's own run in its place.

Python 3.7 syntax; imports nothing that the interpreter has not loaded by itself.
"""


def _runner_own_path():
    """PYTHONPATH as the job has it, and no trace of the entry that led here, which is returned."""
    import os
    import sys

    entry = os.environ["PYTHONPATH"].split(":")[0]
    own = os.environ.pop("_RUN_PIPELINE_PATH", None)
    if own is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = own  # in its place: the order of variables can be seen
    sys.path[:] = [other for other in sys.path if other != entry]
    sys.path_importer_cache.pop(entry, None)
    archives = getattr(sys.modules.get("zipimport"), "_zip_directory_cache", None)
    if archives is not None:
        archives.pop(entry, None)
    return entry


def _runner_chain():
    import sys

    this = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401  the image's own, which this one hid
    except ImportError as error:
        sys.modules["sitecustomize"] = this  # the import system takes it out and puts it back once more
        if error.name != "sitecustomize":
            raise
