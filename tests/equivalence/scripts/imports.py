"""Imports of every kind, from the files beside it: what Python finds, and in which order."""

import importlib
import importlib.util
import pkgutil
import runpy
import sys

import colorsys
import package
import package.inner
import sqlite3
from package import inner as again
from package.inner import VALUE

print(colorsys.__file__, package.__name__, again is package.inner, VALUE)
print(sqlite3.__file__, "_sqlite3" in sys.modules)
print(package.__path__, package.inner.__package__, package.inner.__spec__.origin)
print([each.name for each in pkgutil.iter_modules(package.__path__)])
print(importlib.util.find_spec("no_such_module"), importlib.util.find_spec("package.late").origin)
importlib.import_module("package.late")
print(importlib.reload(package.inner).VALUE)
print(sorted(runpy.run_path("/opt/ml/processing/input/code/beside.py", run_name="ran")))
for statement in ("from . import x", "import no_such_module", "from package import nothing", "import package.broken"):
    try:
        exec(statement)
    except (ImportError, SyntaxError) as error:
        print(statement, type(error).__name__, error)
assert sys.modules["__main__"].sys is sys
from package import broken  # noqa
