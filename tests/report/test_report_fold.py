"""Bytes to lines: bounded, decoded, progress bars folded, whatever the chunks."""

from __future__ import annotations

import random

from runner.report.fold import Folder


def lines(*chunks: bytes, limit: int = 100) -> list[str]:
    folder = Folder(limit)
    return [line for chunk in chunks for line in folder.feed(chunk)] + folder.flush()


def test_lines_may_come_in_any_chunks() -> None:
    data = "eins\nzwei é\n\n 10%\r 20%\r100%\nwindows\r\nlast".encode()
    expected = ["eins", "zwei é", "", "100%", "windows", "last"]
    chance = random.Random(1)
    for _ in range(200):
        cuts = sorted(chance.sample(range(1, len(data)), 5))
        chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert lines(*chunks) == expected


def test_nothing_is_no_line() -> None:
    assert lines() == []
    assert lines(b"") == []
    assert lines(b"a\n") == ["a"]


def test_invalid_utf8_is_replaced() -> None:
    assert lines(b"\xff\xfeok\n") == ["\ufffd\ufffdok"]


def test_a_long_line_is_cut_with_a_mark() -> None:
    assert lines(b"x" * 250 + b"\nnext\n") == ["x" * 100 + " … [150 more bytes in this line]", "next"]


def test_memory_stays_bounded_in_a_line_without_end() -> None:
    folder = Folder(limit=1000)
    for _ in range(160):
        assert folder.feed(b"x" * 65536) == []
        assert len(folder._held) <= 1000
    assert folder.flush() == ["x" * 1000 + f" … [{160 * 65536 - 1000:,} more bytes in this line]"]


def test_a_return_forgives_what_was_too_long_before_it() -> None:
    assert lines(b"x" * 500, b"\r", b"100%\n") == ["100%"]
    assert lines(b"x" * 500 + b"\r50%", b"\r\n") == ["50%"]
