"""An image that can `serve`: the Python image and the program `serve.py`; built when first asked for."""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import closing
from functools import cache
from pathlib import Path

TAG = f"run-pipeline-test/serve:{os.getpid()}"
"""Of this session alone: others may share the engine."""


@cache
def ensure() -> str:
    from runner.engine import images
    from runner.engine.client import client

    base = images.ensure("python", lambda line: None)
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        _add(tar, "Dockerfile", f"FROM {base}\nCOPY serve /usr/local/bin/serve\n".encode())
        _add(tar, "serve", Path(__file__).with_name("serve.py").read_bytes())
    context.seek(0)
    with closing(client(timeout=300)) as docker:
        docker.images.build(fileobj=context, custom_context=True, tag=TAG, rm=True, forcerm=True)
    return TAG


def remove() -> None:
    """Take it away, if it was built."""
    if ensure.cache_info().currsize:
        from runner.engine.client import client

        with closing(client()) as docker:
            docker.images.remove(TAG, force=True)
        ensure.cache_clear()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    tar.addfile(entry, io.BytesIO(content))
