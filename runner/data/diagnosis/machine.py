"""What the step was not given: memory, time, a network, credentials."""

from __future__ import annotations

import re

from runner.data.diagnoses import Kind
from runner.data.diagnosis.model import Failure, Finding, shortened
from runner.data.raised import Raised
from runner.engine.base import Verdict

_NETWORK_TYPES = {
    "ConnectTimeout", "ConnectTimeoutError", "ConnectError", "ConnectionClosedError", "ConnectionError",
    "EndpointConnectionError", "MaxRetryError", "NameResolutionError", "NewConnectionError", "ProxyConnectionError",
    "ReadTimeoutError", "URLError", "gaierror", "herror",
}  # fmt: skip
_SOCKET_TYPES = {"ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"}
_NETWORK_WORDS = re.compile(
    r"\[Errno (?:-2|-3|-5|101|110|111|113)\]|Temporary failure in name resolution|Name or service not known"
    r"|Network is unreachable|No route to host|Failed to establish a new connection|Could not resolve host"
    r"|Failed to resolve"
)
_NOWHERE = re.compile(
    r"name resolution|Name or service not known|Network is unreachable|No route to host|resolve"
    r"|\[Errno (?:-2|-3|-5|101|113)\]"
)
_URL = re.compile(r"""https?://[^\s"'<>)]+|host='(?P<host>[^']+)'|resolve '(?P<name>[^']+)'""")
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
_PIP = re.compile(r"pip'?,? '?install")
_NO_MEMORY = {"MemoryError", "_ArrayMemoryError", "ArrowMemoryError"}
_BAD_ALLOC = re.compile(r"std::bad_alloc|Cannot allocate memory|\[Errno 12\]|insufficient shared memory \(shm\)")


def killed(failure: Failure) -> Finding | None:
    """What the verdict alone says: killed for memory, stopped for time."""
    limits = failure.job.limits
    if failure.verdict is Verdict.OOM or "was killed for memory" in failure.reason:
        who = "the step" if failure.verdict is Verdict.OOM else "a process of the step"
        limit = f" at its limit of {_size(limits.memory)}" if limits.memory else ", as the machine has no more"
        return Finding(Kind.MEMORY, f"{who} was killed for memory{limit}", _more_memory(failure))
    if failure.verdict is Verdict.TIMEOUT:
        words = f"the script did not end within its time-out of {limits.timeout or 0:g} s"
        return Finding(Kind.TIME_OUT, words, "raise the step's `timeout`, or give it less to do")
    return None


def no_memory(failure: Failure, raised: Raised) -> Finding | None:
    """An allocation that was refused."""
    if raised.name not in _NO_MEMORY and not _BAD_ALLOC.search(raised.message):
        return None
    if "shared memory (shm)" in raised.message:
        return Finding(
            Kind.MEMORY, "the shared memory (/dev/shm) is too small", "give the step `resources: {shm_size: ...}`"
        )
    memory = failure.job.limits.memory
    limit = f"; the step's limit is {_size(memory)}" if memory else ""
    what = f": {shortened(raised.message)}" if raised.message.strip() else ""
    return Finding(
        Kind.MEMORY, f"the script asked for more memory than it can have{what}{limit}", _more_memory(failure)
    )


def _more_memory(failure: Failure) -> str:
    return "use less at a time, or " + (
        "raise `memory` in the step's `resources`" if failure.job.limits.memory else "run on a machine with more"
    )


def no_network(failure: Failure, raised: Raised, source: str) -> Finding | None:
    """A connection that could not be made, and credentials that are not there."""
    if raised.name in _NO_CREDENTIALS:
        return _no_credentials(failure, raised)
    if raised.name == "CalledProcessError" and _PIP.search(raised.message) and failure.job.network == "none":
        words = "the script installs packages itself, and the step has `network: none`"
        return Finding(Kind.NETWORK, words, "name the packages in a requirements.txt of the step's `source_dir`")
    named = raised.name in _NETWORK_TYPES or raised.name in _SOCKET_TYPES
    if not named and not (
        _NETWORK_WORDS.search(raised.message) and raised.name in ("OSError", "SSLError", "TimeoutError")
    ):
        return None
    text = "\n".join([raised.message, *(each.message for each in _earlier(raised)), source])
    if failure.job.network == "none" and _NOWHERE.search(text):
        words = f"the script tried to reach {_whom(text, failure)}, and the step has `network: none`"
        return Finding(
            Kind.NETWORK, words, "write `network: bridge` if the step needs the network, else take the call out"
        )
    return Finding(Kind.NETWORK, f"a connection failed: {shortened(raised.line)}")


def _earlier(raised: Raised) -> list[Raised]:
    found, now = [], raised.cause or raised.context
    while now is not None:
        found.append(now)
        now = now.cause or now.context
    return found


def _whom(text: str, failure: Failure) -> str:
    found = _URL.search(text)
    if found is not None:
        return found["host"] or found["name"] or found[0].rstrip("/")
    tried = [str(where) for where in (failure.trace or {}).get("connections", ())]
    return tried[-1] if tried else "another host"


def _no_credentials(failure: Failure, raised: Raised) -> Finding:
    if failure.job.credentials != "none":
        return Finding(Kind.PERMISSION, f"AWS credentials are missing: {shortened(raised.line)}")
    words = "the script asks for AWS credentials, and the step has `credentials: none`"
    fix = "write `credentials: environment`" + (" and `network: bridge`" if failure.job.network == "none" else "")
    return Finding(Kind.PERMISSION, words, fix)


def _size(size: int | None) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} bytes"
