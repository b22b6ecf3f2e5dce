from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.streams import Demultiplexer, Sinks, Trailer

frames = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=20)


def encode(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxI", stream, len(data)) + data for stream, data in parts)


@given(frames, st.integers(min_value=1, max_value=17))
def test_every_byte_reaches_its_own_sink_however_the_stream_is_cut(parts: list[tuple[int, bytes]], cut: int) -> None:
    out, err = bytearray(), bytearray()
    demultiplexer = Demultiplexer(out.extend, err.extend)
    raw = encode(parts)
    for start in range(0, len(raw), cut):
        demultiplexer.feed(raw[start : start + cut])
    assert bytes(out) == b"".join(data for stream, data in parts if stream == 1)
    assert bytes(err) == b"".join(data for stream, data in parts if stream == 2)
    assert demultiplexer.complete


def test_a_stream_that_breaks_off_in_a_frame_is_not_complete() -> None:
    out = bytearray()
    demultiplexer = Demultiplexer(out.extend, out.extend)
    demultiplexer.feed(encode([(1, b"hello")])[:-2])
    assert bytes(out) == b"hel"
    assert not demultiplexer.complete


def test_a_sink_that_fails_is_told_once_and_the_rest_is_dropped() -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    told: list[str] = []
    sinks = Sinks("secret", full, full, lambda: told.append("stop"))
    sinks.demultiplexer.feed(encode([(1, b"a"), (2, b"b")]))
    assert told == ["stop"]
    assert "No space left" in sinks.error


NONCE = "0123456789abcdef"
MARK = b"\0" + NONCE.encode() + b":"


@given(
    st.lists(st.sampled_from([b"text", b"\0", b"\n", MARK[:5], MARK[:-1], b"\0" + MARK[1:9]]), max_size=12),
    st.integers(min_value=1, max_value=40),
    st.booleans(),
)
def test_a_trailer_comes_off_and_every_byte_before_it_stays(parts: list[bytes], cut: int, there: bool) -> None:
    passed = bytearray()
    trailer = Trailer(NONCE, passed.extend)
    text = b"".join(parts)
    raw = text + (MARK + b'{"exit": 0}\n' if there else b"")
    for start in range(0, len(raw), cut):
        trailer.feed(raw[start : start + cut])
    trailer.end()
    assert bytes(passed) == text
    assert trailer.body == (b'{"exit": 0}' if there else None)


def test_output_is_passed_on_at_once_unless_it_could_be_the_mark() -> None:
    passed = bytearray()
    trailer = Trailer(NONCE, passed.extend)
    trailer.feed(b"ready\n")
    assert bytes(passed) == b"ready\n"
    trailer.feed(b"x" + MARK[:4])
    assert bytes(passed) == b"ready\nx"
    trailer.feed(b"no")
    assert bytes(passed) == b"ready\nx" + MARK[:4] + b"no"


def test_a_trailer_ends_at_its_first_line_end_whatever_follows() -> None:
    passed = bytearray()
    trailer = Trailer(NONCE, passed.extend)
    trailer.feed(b"text" + MARK + b'{"exit": 0}\nxxx')
    trailer.feed(b"more\n")
    assert (trailer.body, bytes(passed)) == (b'{"exit": 0}', b"text")


def test_a_trailer_without_an_end_is_given_up() -> None:
    trailer = Trailer(NONCE, lambda _: None)
    trailer.feed(MARK)
    for _ in range(20):
        trailer.feed(b"x" * (1 << 16))
    assert trailer.body == b""
