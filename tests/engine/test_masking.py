"""Secrets never get through, however the bytes are cut; everything else does, unchanged."""

from __future__ import annotations

import dataclasses
import enum

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.credentials import Credentials
from runner.engine.masking import MASK, Mask, beginning, hidden, masked, masking, secrets_of

SECRET = "wJal/K7MDENG+bPx"
CREDENTIALS = Credentials("AKIAEXAMPLE", SECRET, token=f"{SECRET}-and-a-token")


def through(chunks: list[bytes], secrets: tuple[bytes, ...]) -> bytes:
    out = bytearray()
    mask = Mask(secrets, out.extend)
    for chunk in chunks:
        mask(chunk)
    mask.end()
    return bytes(out)


def test_every_form_of_the_secret_key_and_the_token_is_hidden() -> None:
    text = f"a {SECRET} b {SECRET}-and-a-token c wJal%2FK7MDENG%2BbPx d wJal\\/K7MDENG+bPx e AKIAEXAMPLE"
    assert masked(CREDENTIALS, text.encode()) == b"a *** b *** c *** d *** e AKIAEXAMPLE"


def test_a_secret_in_two_chunks_is_hidden_wherever_it_is_cut() -> None:
    text = f"before {SECRET} between {SECRET}-and-a-token after".encode()
    for at in range(len(text)):
        assert through([text[:at], text[at:]], secrets_of(CREDENTIALS)) == b"before *** between *** after"
    assert through([bytes([byte]) for byte in text], secrets_of(CREDENTIALS)) == b"before *** between *** after"


@given(st.lists(st.sampled_from([b"ab", b"abab", b"ababa", b"b", b"x", b"aba", b"\n"]), max_size=12))
def test_cutting_never_changes_the_result(chunks: list[bytes]) -> None:
    secrets = (b"ababab", b"abab", b"bx")
    assert through(chunks, secrets) == through([b"".join(chunks)], secrets)


@given(st.lists(st.binary(max_size=8), max_size=8))
def test_other_bytes_arrive_as_they_are(chunks: list[bytes]) -> None:
    secrets = (b"a secret that no eight random bytes hold",)
    assert through(chunks, secrets) == b"".join(chunks)


def test_what_cannot_be_a_secret_is_passed_on_at_once() -> None:
    seen: list[bytes] = []
    mask = Mask((b"secret-key",), seen.append)
    mask(b"progress 10%\r")
    assert seen == [b"progress 10%\r"]
    mask(b"a secret-k")
    assert seen[1:] == [b"a "]
    mask(b"ite\n")
    assert seen[2:] == [b"secret-kite\n"]


def test_without_credentials_the_sinks_are_untouched() -> None:
    sink: list[bytes] = []
    with masking(None, sink.append) as (same,):
        same(b"x")
    assert sink == [b"x"]
    assert masked(None, b"x") == b"x"
    assert masked(Credentials("a", "short"), b"shorter") == b"shorter"


def test_what_was_held_back_comes_at_the_end() -> None:
    sink: list[bytes] = []
    with masking(CREDENTIALS, sink.append) as (same,):
        same(f"{SECRET}-and".encode())
    assert b"".join(sink) == MASK + b"-and"


class Kind(enum.StrEnum):
    LIKE_A_SECRET = SECRET


@dataclasses.dataclass(frozen=True)
class Told:
    words: str
    more: tuple[str, ...]
    kind: Kind = Kind.LIKE_A_SECRET
    number: int | None = None


def test_every_text_in_a_value_is_hidden_and_its_shape_stays() -> None:
    told = Told(f"a {SECRET}", (f"{SECRET} \ud800", "b"))
    assert hidden(CREDENTIALS, {"x": [told, 1, None]}) == {"x": [Told("a ***", ("*** \ud800", "b")), 1, None]}
    assert hidden(None, told) is told


def test_the_beginning_of_a_text_ends_with_no_half_of_a_secret() -> None:
    text = f"the body: {SECRET} {SECRET} and more"
    for end in range(len(text) + 1):  # where whoever sent it cut it
        for length in range(1, 40):
            shown = beginning(CREDENTIALS, text[:end], length)
            assert len(shown) <= length + 3
            if end > length:
                assert SECRET[:3] not in shown, (end, length)
    assert beginning(CREDENTIALS, text, 100) == "the body: *** *** and more"
    assert beginning(CREDENTIALS, text, 12) == "the body: **..."
    assert beginning(None, "abcdef", 3) == "abc..."
    assert beginning(None, "abc", 3) == "abc"
