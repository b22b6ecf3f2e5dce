"""`go` through a FIFO: only where somebody reads it."""

from __future__ import annotations

import os
from pathlib import Path

from runner.engine.wire import knock


def test_nobody_listens(tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    assert not knock(fifo)
    os.mkfifo(fifo)
    assert not knock(fifo)


def test_one_byte_arrives(tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert knock(fifo)
        assert os.read(reader, 10) == b"g"
        assert os.read(reader, 10) == b""
    finally:
        os.close(reader)
