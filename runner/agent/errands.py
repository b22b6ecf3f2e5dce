"""The agent's short errands, in containers of their own: a probe of image and host, and handing files back.

Part of the agent: see `agent.py`.
"""

import json
import os
import sys

from runner.agent.data import give_back
from runner.agent.kernel import drop_mount_capability, mount


def probe():
    """What this image and this host allow, as one JSON line on stdout."""
    found = {"python": sys.executable, "version": list(sys.version_info[:3]), "mount": False, "why": ""}
    try:
        for name in ("lower", "upper", "work", "merged"):
            os.makedirs("/tmp/.runner-probe/" + name)
        mount("tmpfs", "/tmp/.runner-probe", "tmpfs", 0)
        for name in ("lower", "upper", "work", "merged"):
            os.makedirs("/tmp/.runner-probe/" + name)
        options = "lowerdir=/tmp/.runner-probe/lower,upperdir=/tmp/.runner-probe/upper,workdir=/tmp/.runner-probe/work"
        mount("overlay", "/tmp/.runner-probe/merged", "overlay", 0, options)
        drop_mount_capability()
        found["mount"] = True
    except (OSError, AttributeError) as error:
        found["why"] = str(error)
    print(json.dumps(found), flush=True)
    return 0


def reclaim(arguments):
    """Hand directories back: `reclaim UID GID DIR...`."""
    notes = []
    handles = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in arguments[2:]]
    give_back(handles, int(arguments[0]), int(arguments[1]), notes)
    print(json.dumps(notes), flush=True)
    return 1 if notes else 0
