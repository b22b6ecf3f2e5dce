"""Secrets out of what a step writes: `***` in their place, also where a chunk ends within one.

Only steps that were given credentials are looked at: the output of all others stays as it is, byte for byte.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

from runner.engine.credentials import Credentials

Sink = Callable[[bytes], None]
Value = TypeVar("Value")
MASK = b"***"
SHORTEST = 8
"""Characters. What is shorter is no secret of AWS, and would be found in every other word."""


class Mask:
    """Takes the bytes of one stream, and passes them on without the secrets. Holds back only what could become one."""

    def __init__(self, secrets: tuple[bytes, ...], sink: Sink) -> None:
        self._secrets = secrets
        self._pattern = _pattern(secrets)
        self._sink = sink
        self._held = b""

    def __call__(self, data: bytes) -> None:
        data = self._held + data
        out, end = bytearray(), 0
        for found in self._pattern.finditer(data):
            if self._may_grow(data, found.start()):
                break
            out += data[end : found.start()] + MASK
            end = found.end()
        keep = self._beginning(data, end)
        out += data[end:keep]
        self._held = data[keep:]
        if out:
            self._sink(bytes(out))

    def end(self) -> None:
        """Nothing more comes: what was held back is no secret, or holds one that could have been a longer one."""
        held, self._held = self._pattern.sub(MASK, self._held), b""
        if held:
            self._sink(held)

    def _may_grow(self, data: bytes, at: int) -> bool:
        """Whether a longer secret may begin here, and the next bytes tell."""
        rest = data[at:]
        return any(len(secret) > len(rest) and secret.startswith(rest) for secret in self._secrets)

    def _beginning(self, data: bytes, start: int) -> int:
        """Where the end of `data` could be the beginning of a secret; its length when it could not."""
        longest = max(map(len, self._secrets))
        first = max(start, len(data) - longest + 1)
        return next((at for at in range(first, len(data)) if self._may_grow(data, at)), len(data))


def secrets_of(credentials: Credentials | None) -> tuple[bytes, ...]:
    """The secret key and the session token, also as they stand in a URL and in some JSON; the longest first."""
    if credentials is None:
        return ()
    texts = [text for text in (credentials.secret_key, credentials.token) if len(text) >= SHORTEST]
    forms = {form for text in texts for form in (text, quote(text, safe=""), text.replace("/", "\\/"))}
    return tuple(sorted((form.encode() for form in forms), key=len, reverse=True))


def masked(credentials: Credentials | None, data: bytes) -> bytes:
    """The same in one go."""
    secrets = secrets_of(credentials)
    return _pattern(secrets).sub(MASK, data) if secrets else data


def hidden(credentials: Credentials | None, value: Value) -> Value:
    """A value without the secrets: every text in it, also in its tuples, lists, mappings and dataclasses."""
    secrets = secrets_of(credentials)
    return _hidden(_pattern(secrets), value) if secrets else value


def _hidden(pattern: re.Pattern[bytes], value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return pattern.sub(MASK, value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
    if isinstance(value, tuple | list):
        return type(value)(_hidden(pattern, item) for item in value)
    if isinstance(value, Mapping):
        return {key: _hidden(pattern, item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field.name for field in dataclasses.fields(value))
        return dataclasses.replace(value, **{name: _hidden(pattern, getattr(value, name)) for name in fields})
    return value


def beginning(credentials: Credentials | None, text: str, length: int) -> str:
    """At most `length` characters of a text, without the secrets; three dots behind them where there is more.

    The text may be the beginning of a longer one itself: no half of a secret is left at the end of either.
    """
    secrets = secrets_of(credentials)
    if len(text) > length and secrets:
        out = bytearray()
        Mask(secrets, out.extend)(text.encode("utf-8", "surrogatepass"))  # what it holds back is a half, perhaps
        shown = out.decode("utf-8", "surrogatepass")
    else:
        shown = hidden(credentials, text)
    return shown if len(text) <= length else f"{shown[:length]}..."


@contextmanager
def masking(credentials: Credentials | None, *sinks: Sink) -> Iterator[tuple[Sink, ...]]:
    """The sinks behind a mask each, or as they are when there is nothing to hide."""
    secrets = secrets_of(credentials)
    if not secrets:
        yield sinks
        return
    masks = tuple(Mask(secrets, sink) for sink in sinks)
    try:
        yield masks
    finally:
        for mask in masks:
            with contextlib.suppress(OSError):  # a full disk: the log itself remembers
                mask.end()


def _pattern(secrets: tuple[bytes, ...]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(map(re.escape, secrets)))
