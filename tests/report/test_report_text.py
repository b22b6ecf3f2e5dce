"""Cleaning what strangers wrote, and numbers in words."""

from __future__ import annotations

import subprocess

import pytest

from runner.report import text


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hhome", "home"),
        ("\x1b]0;a title\x07shell", "shell"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mc1", "c1"),
        ("bell\x07 back\x08 nul\x00 del\x7f", "bell back nul del"),
        ("a\u202eb\u2066c", "abc"),
        ("ab\tc", "ab  c"),
        ("keeps\nlines é 日本", "keeps\nlines é 日本"),
        ("cut off \x1b[3", "cut off 3"),
        ("\x1bPdevice\x1b\\control", "control"),
    ],
)
def test_clean(dirty: str, expected: str) -> None:
    assert text.clean(dirty) == expected


def test_clean_never_leaves_an_escape() -> None:
    for final in map(chr, range(256)):
        assert "\x1b" not in text.clean(f"a\x1b{final}b\x1b[{final}c\x1b]{final}d")


def test_clean_keep_colour_keeps_colours_only_and_resets_them() -> None:
    assert text.clean_keep_colour("\x1b[31mred\x1b[2K\x1b[5A") == "\x1b[31mred\x1b[0m"
    assert text.clean_keep_colour("plain") == "plain"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0.0 s"), (0.449, "0.4 s"), (59.94, "59.9 s"), (59.96, "1:00"), (125, "2:05"), (3725, "1:02:05")],
)
def test_seconds(value: float, expected: str) -> None:
    assert text.seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, "1 byte"), (1023, "1,023 bytes"), (512 << 20, "512 MiB"), (3 << 29, "1.5 GiB"), ((1 << 20) - 1, "1 MiB")],
)
def test_size(value: int, expected: str) -> None:
    assert text.size(value) == expected


def test_listed() -> None:
    assert [text.listed(list("abcd")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert text.listed(list("abcd"), 2) == "a, b and 2 more"


def test_width_and_cutting_count_columns_not_characters() -> None:
    assert text.width("日本e\u0301") == 5
    assert text.shorten("日本語", 5) == "日本…"
    assert text.shorten("short", 5) == "short"
    assert text.shorten_middle("TabularPreprocessing_training", 12) == "Tabula…ining"


def test_table_aligns_and_keeps_no_trailing_blanks() -> None:
    rows = [("a", "1", "x"), ("bbb", "22", ""), ("c",)]
    assert text.table(rows, right=frozenset({1})) == ["a     1  x", "bbb  22", "c"]


@pytest.mark.parametrize("value", ["plain", "", "a b", "pa$sword", "it's", "new\nline", "tab\t'q' \\ \x1b \u202e", "é"])
def test_quoted_is_one_line_that_bash_reads_back(value: str) -> None:
    word = text.quoted(value)
    assert "\n" not in word
    told = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert told.stdout.decode() == value


@pytest.mark.parametrize(
    ("given", "columns", "expected"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two\nthree"),
        ("  one two", 6, "  one\ntwo"),
        ("a /very/long/path b", 8, "a\n/very/long/path\nb"),
        ("\x1b[1mone two\x1b[0m x", 9, "\x1b[1mone two\x1b[0m x"),
        ("a\n\nb c", 2, "a\n\nb\nc"),
        ("日本 日本", 8, "日本\n日本"),
        ("", 5, ""),
    ],
)
def test_wrap(given: str, columns: int, expected: str) -> None:
    assert text.wrap(given, columns) == expected
