"""Prints, as a JSON list, the top-level names that this interpreter could import: run in an image with `-c`.

Rather too many names than too few: each one that is missing here would become a false alarm.
"""

import json
import os
import pkgutil
import sys


def names():
    found = set(sys.builtin_module_names)  # not `sys.stdlib_module_names`: it has what this build leaves out
    for entry in [entry for entry in sys.path[1:] if entry]:
        found.update(each.name for each in pkgutil.iter_modules([entry]))
        found.update(folders(entry))
    return found | distributed()


def folders(entry):
    """Namespace packages have no file of their own: any directory may be one."""
    try:
        inside = os.listdir(entry)
    except OSError:
        return []
    return [name for name in inside if name.isidentifier() and os.path.isdir(os.path.join(entry, name))]


def distributed():
    """What the installed packages say that they bring: editable ones are found by a hook, not on the path."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7
        return set()
    found = set()
    for package in metadata.distributions():
        found.update((package.read_text("top_level.txt") or "").split())
    if hasattr(metadata, "packages_distributions"):
        found.update(metadata.packages_distributions())
    return found


print(json.dumps(sorted(names())))
