"""Reading tracebacks: formats of all Pythons, what stands around and between their lines, and what is cut off."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.data.raised import own_frame
from runner.data.tracebacks import READ, dumped_frames, last_exception, tail_of

RECORDED = Path(__file__).parent.parent / "diagnosis" / "recorded"
OLD = """\
Traceback (most recent call last):
  File "train.py", line 12, in <module>
    main()
  File "train.py", line 7, in main
    print(1 / 0)
ZeroDivisionError: division by zero
"""
"""As Python 3.7 writes it: no marks, and the path as it was given."""
NEW = """\
Traceback (most recent call last):
  File \x1b[35m"/opt/ml/code/train.py"\x1b[0m, line \x1b[35m3\x1b[0m, in \x1b[35m<module>\x1b[0m
    \x1b[31mf\x1b[0m\x1b[1;31m(1)\x1b[0m
    \x1b[31m~\x1b[0m\x1b[1;31m^^^\x1b[0m
  File \x1b[35m"/opt/ml/code/train.py"\x1b[0m, line \x1b[35m2\x1b[0m, in \x1b[35mf\x1b[0m
    return {\x1b[1;31m**a\x1b[0m}
             \x1b[1;31m^\x1b[0m
\x1b[1;35mTypeError\x1b[0m: \x1b[35m'int' object is not a mapping\x1b[0m
"""
"""As Python 3.13 and 3.14 write it to a terminal."""


def shown(text: bytes | str) -> tuple[str, tuple[int, str, str] | None]:
    found = last_exception(text)
    assert found is not None
    own = own_frame(found.frames)
    return found.line, None if own is None else (own.line, own.function, own.source)


def test_old_and_new_forms() -> None:
    assert shown(OLD) == ("ZeroDivisionError: division by zero", (7, "main", "print(1 / 0)"))
    assert shown(NEW) == ("TypeError: 'int' object is not a mapping", (2, "f", "return {**a}"))


@pytest.mark.parametrize("lead", ["algo-1 | ", "[1,0]<stderr>: ", "2026-11-29T08:00:00Z ", "    "])
def test_every_line_behind_a_prefix(lead: str) -> None:
    prefixed = "".join(f"{lead}{line}\n" for line in ["before", *OLD.splitlines(), "after"])
    assert shown(prefixed) == shown(OLD)


def test_lines_of_two_instances_between_each_other() -> None:
    mixed = [f"algo-{1 + n % 2} | {line}" for line in OLD.splitlines() for n in (0, 1)]
    assert shown("\n".join(mixed)) == shown(OLD)


def test_other_lines_within_a_traceback() -> None:
    lines = OLD.splitlines()
    noise = ["INFO:root:epoch 3", "", "[08:00:00] WARNING: something", "Done"]
    for at in range(1, len(lines) - 1):
        for word in noise:
            assert shown("\n".join([*lines[:at], word, *lines[at:]]))[0] == "ZeroDivisionError: division by zero"


def test_carriage_returns_and_progress_bars() -> None:
    assert shown(OLD.replace("\n", "\r\n")) == shown(OLD)
    assert shown(" 10%|#  |\r 20%|## |\r" + OLD) == shown(OLD)


def test_what_is_not_utf_8() -> None:
    text = OLD.encode().replace(b"division", b"divis\xe9on")
    assert shown(b"\xff\xfe\n" + text)[0] == "ZeroDivisionError: divis\ufffdon by zero"


def test_the_last_of_several() -> None:
    later = OLD.replace("ZeroDivisionError: division by zero", "ValueError: the second")
    assert shown(OLD + "retrying\n" + later + "giving up\n")[0] == "ValueError: the second"


def test_what_python_passes_over_is_passed_over() -> None:
    ignored = f"Exception ignored in: <function A.__del__ at 0x7f>\n{OLD}"
    assert last_exception(ignored) is None
    assert shown(OLD.replace("division", "the") + ignored)[0] == "ZeroDivisionError: the by zero"


def test_chains_keep_both() -> None:
    words = {
        "cause": "The above exception was the direct cause of the following exception:",
        "context": "During handling of the above exception, another exception occurred:",
    }
    for link, word in words.items():
        found = last_exception(
            f"{OLD}\n{word}\n\n{OLD.replace('ZeroDivisionError: division by zero', 'ValueError: x')}"
        )
        assert found is not None
        assert (found.line, getattr(found, link).line) == ("ValueError: x", "ZeroDivisionError: division by zero")
        assert found.remote is None


def test_a_child_process_is_told_with_its_own_frames() -> None:
    found = last_exception((RECORDED / "other-pool.txt").read_bytes())
    assert found is not None and found.remote is not None
    own = own_frame(found.remote.frames)
    assert own is not None
    assert (own.line, own.function) == (3, "work")


def test_groups_and_their_members() -> None:
    found = last_exception((RECORDED / "other-group-nested.txt").read_bytes())
    assert found is not None
    assert (found.line, found.context is not None) == ("ExceptionGroup: outer (2 sub-exceptions)", True)
    inner, key = found.members
    assert [each.line for each in inner.members] == ["ValueError: bad a"]
    assert inner.members[0].frames[-1].line == 2
    assert key.line == "KeyError: 'k'"


def test_a_syntax_error_has_a_place_and_a_mark() -> None:
    for name in ("syntax-bracket", "syntax-imported"):
        found = last_exception((RECORDED / f"{name}.txt").read_bytes())
        assert found is not None
        frame = found.frames[-1]
        assert frame.source[frame.column :][:1] in "[:"


def test_an_exception_without_a_message_and_one_of_many_lines() -> None:
    assert shown(OLD.replace(": division by zero", ""))[0] == "ZeroDivisionError"
    many = last_exception(OLD + "\nsecond\n\nthird\n\n\n")
    assert many is not None
    assert many.message == "division by zero\n\nsecond\n\nthird"
    endless = last_exception(OLD + "line\n" * 10_000)
    assert endless is not None
    assert endless.message.count("\n") < 50


def test_a_logger_that_marks_the_first_line_only() -> None:
    assert shown(f"ERROR:root:it failed\n{OLD}") == shown(OLD)
    assert shown(f"2026-11-29 08:00:00 ERROR {OLD}") == shown(OLD)


def test_nothing_is_found_where_nothing_is() -> None:
    for text in ("", "no error\n", "Traceback (most recent call last):\n", OLD.partition("Zero")[0]):
        assert last_exception(text) is None


def test_whatever_is_cut_off_nothing_is_raised() -> None:
    for path in sorted(RECORDED.glob("other-*.txt")):
        text = path.read_bytes()
        for size in range(0, len(text), 37):
            last_exception(text[:size])
            last_exception(text[size:])


def test_ten_megabytes_on_one_line(tmp_path: Path) -> None:
    log = tmp_path / "stderr"
    log.write_bytes(b"x" * (10 << 20) + b"\n" + OLD.replace("division", "y" * (10 << 20)).encode())
    began = time.monotonic()
    line = shown(tail_of(log))[0]
    assert time.monotonic() - began < 5
    assert line.startswith("ZeroDivisionError: yyy")
    assert len(line) < 5000
    log.write_bytes(b"x" * (40 << 20))
    assert len(tail_of(log)) == READ


def test_the_users_own_frame_is_in_no_library() -> None:
    found = last_exception((RECORDED / "column-function.txt").read_bytes())
    assert found is not None
    own = own_frame(found.frames)
    assert own is not None and (own.function, own.file) == ("load", "/opt/ml/processing/input/code/consume.py")
    assert own_frame([frame for frame in found.frames if "site-packages" in frame.file]) is None


def test_faulthandler_says_where_a_script_hung() -> None:
    text = (
        'Thread 0x1 (most recent call first):\n  File "/a.py", line 1 in wait\n\n'
        'Current thread 0x2 (most recent call first):\n  File "/opt/ml/code/b.py", line 2 in <module>\n'
        "Extension modules: numpy (total: 1)\n"
    )
    assert [(frame.file, frame.line) for frame in dumped_frames(text)] == [("/opt/ml/code/b.py", 2)]
    assert dumped_frames(OLD) == ()
