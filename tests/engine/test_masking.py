"""Secrets never get through, however the bytes are cut; everything else does, unchanged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.credentials import Credentials
from runner.engine.masking import MASK, Mask, masked, masking, secrets_of

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
