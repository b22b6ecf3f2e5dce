"""How the code of a `source_dir` starts: what FrameworkProcessor's `runproc.sh` does, and what the training toolkit
does before it starts a script. Source: the SDK's `processing.py`, the toolkit's `entry_point.py` and `modules.py`.

One thing differs: a container here may have no network, so `requirements.txt` is resolved beforehand, against the same
image, and installed from the files that were collected then. They lie in `COLLECTED`, with an exact `requirements.txt`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from runner.sagemaker import paths
from runner.sagemaker.job import ContainerJob
from runner.spec.mounts import CODE, ENTRYPOINT

RUNPROC = "runproc.sh"
BUNDLE = "sourcedir.tar.gz"
REQUIREMENTS = "requirements.txt"
COLLECTED = "/var/cache/run-pipeline/requirements"
"""Outside of /opt/ml, where no script looks."""
FAILED = f"{REQUIREMENTS} could not be installed"
"""The beginning of the last line on stderr when pip fails."""

_INSTALL = ("pip", "install", "--no-index", "--no-deps", "--find-links", COLLECTED, "-r", f"{COLLECTED}/{REQUIREMENTS}")

FRAMEWORK_COMMAND = ("/bin/bash", f"{ENTRYPOINT}/{RUNPROC}")


def runproc(program: Sequence[str]) -> str:
    """The text of `runproc.sh`. `program` is what follows `python`: a script, or `-m` and a module."""
    return f"""\
#!/bin/bash
# Written by run-pipeline: does what the script of this name does on SageMaker.

cd {CODE}/
tar -xzf {BUNDLE}

set -e

if [[ -f {REQUIREMENTS} ]]; then
    status=0
    python -m {shlex.join(_INSTALL)} || status=$?
    if [[ $status != 0 ]]; then
        echo "{FAILED} (pip ended with $status)" >&2
        exit "$status"
    fi
fi

python {shlex.join(program)} "$@"
"""


# `close_fds=False`: pip gets what it would get from the shell of `runproc.sh`, the descriptors of a tracer that then
# recognises pip and leaves it alone (see `runner.agent.tracer`).
_INSTALL_FIRST = f"""\
import os, subprocess, sys
status = subprocess.call([sys.executable, "-m", *{list(_INSTALL)!r}], close_fds=False)
if status:
    words = "{FAILED} (pip ended with %d)" % status
    with open({paths.FAILURE!r}, "w") as failure:
        failure.write(words)
    print(words, file=sys.stderr)
    sys.exit(status if status > 0 else 128 - status)
os.execvp(sys.argv[1], sys.argv[1:])
"""
_INSTALLER = ("python3", "-I", "-c", _INSTALL_FIRST)
"""Before a training script's command."""


def installing(job: ContainerJob) -> ContainerJob:
    """The same job when its code has a `requirements.txt`: `runproc.sh` looks for itself; a training script is preceded
    by the installation, in the process that then becomes the script."""
    if job.step_type != "training":
        return job
    return replace(job, entrypoint=(*_INSTALLER, *(job.entrypoint or ())))


def behind_installation(words: Sequence[str]) -> Sequence[str]:
    """The command that an installation precedes; all the words where there is none."""
    return words[len(_INSTALLER) :] if tuple(words[: len(_INSTALLER)]) == _INSTALLER else words
