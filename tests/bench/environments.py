"""Python environments of other people's packages, outside the repository and never part of the product.

They are made once and kept, as pip keeps its downloads: `BENCH_CACHE_DIR` or the user's cache directory says where.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.bench import NotAvailableError, tail

READY = ".ready"


def cache_dir() -> Path:
    named = os.environ.get("BENCH_CACHE_DIR")
    caches = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(named) if named else caches / "run-pipeline-bench"


def python(name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of an environment that holds these. Raises NotAvailableError when they cannot be installed."""
    digest = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:12]
    place = cache_dir() / f"{name}-{digest}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two benchmarks at once make it once
        if not (place / READY).exists():
            shutil.rmtree(place, ignore_errors=True)
            print(f"installing {' '.join(requirements)} into {place} ...", file=sys.stderr, flush=True)
            _succeed([sys.executable, "-m", "venv", str(place)], requirements)
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _succeed([*pip, *requirements], requirements)
            (place / READY).touch()
    return place / "bin" / "python"


def _succeed(argv: Sequence[str], requirements: Sequence[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotAvailableError(f"{' '.join(requirements)} cannot be installed: {tail(done)}")
