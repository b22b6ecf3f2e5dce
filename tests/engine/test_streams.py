from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.streams import Demultiplexer, Sinks

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
    sinks = Sinks(full, full, lambda: told.append("stop"))
    sinks.demultiplexer.feed(encode([(1, b"a"), (2, b"b")]))
    assert told == ["stop"]
    assert "No space left" in sinks.error
