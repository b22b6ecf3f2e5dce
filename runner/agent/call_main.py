"""Calls `main(input_paths, output_paths, environ_vars, job_args)` of a script that has no `__main__` block.

A program of its own: it lies in the container beside `call.json`, which names the script and the four arguments.
"""

import argparse
import importlib.util
import inspect
import json
import os
import sys
from typing import Any


def load(path: str) -> Any:
    # A real module under its own name: what the script pickles names its classes by it.
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("cannot load " + path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def run() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "call.json"), encoding="utf-8") as file:
        call = json.load(file)
    script = os.path.join(here, call["script"])
    sys.argv = [script]
    sys.path[0] = os.path.dirname(script)
    main = load(script).main
    job_args = argparse.Namespace(**call["job_args"])
    returned = main(call["input_paths"], call["output_paths"], call["environ_vars"], job_args)
    if inspect.isawaitable(returned) or inspect.isgenerator(returned) or inspect.isasyncgen(returned):
        raise TypeError("main() only made a %s: nothing of it has run" % type(returned).__name__)


if __name__ == "__main__":
    run()
