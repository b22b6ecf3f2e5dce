from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sagemaker import exit_message, failure_reason


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        ("Größe 3 ✓\n".encode(), "Größe 3 ✓\n"),
        (b"x" * 2000, "x" * 1024),
        (b"x" * 1023 + "é".encode(), "x" * 1023),
        (b"x" * 1022 + "✓".encode() + b"more", "x" * 1022),
        (b"x" * 1020 + "😀".encode(), "x" * 1020 + "😀"),
        (b"x" * 1021 + "😀".encode() + b"\xff", "x" * 1021),
        (b"x" * 1024 + b"\xff", "x" * 1024),
    ],
)
def test_message_is_the_first_kilobyte(raw: bytes, text: str) -> None:
    message = exit_message(raw)
    assert message.valid
    assert message.text == text


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        b"ok \xe9 latin",
        b"ends early \xe2\x9c",
        b"\xed\xa0\x80",
        b"x" * 1020 + b"\xff\xff",
        b"x" * 1023 + b"\xc3",
    ],
)
def test_message_that_is_not_utf_8_is_invalid(raw: bytes) -> None:
    message = exit_message(raw)
    assert not message.valid
    assert message.fault
    assert "\ufffd" in message.text


@given(st.text(max_size=1500))
def test_utf_8_is_never_invalid_wherever_the_limit_cuts_it(text: str) -> None:
    message = exit_message(text.encode())
    assert message.valid
    assert text.startswith(message.text)
    assert len(text.encode()) - len(message.text.encode()) <= max(0, len(text.encode()) - 1021)


@given(st.binary(max_size=6000))
def test_failure_reason_is_characters_not_bytes(raw: bytes) -> None:
    reason = failure_reason(raw)
    assert reason.valid
    assert reason.text == raw.decode("utf-8", "replace")[:1024]


def test_the_fault_names_the_first_wrong_byte() -> None:
    assert exit_message(b"ok \xe9 latin").fault == "byte 4 (0xe9) is not UTF-8"
