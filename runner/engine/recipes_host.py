"""The host's pip settings, CA bundle and proxies, as a build needs them.

They may hold credentials, so they go into the first stage of a build only, and from there into no image that stays.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_KEYS = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "proxy",
    "timeout",
    "retries",
)
"""The settings that say where packages come from; others (say `user` or `target`) would break a build."""
_URL_KEYS = ("index-url", "extra-index-url", "find-links")
_CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_CA_SYSTEM = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY")
_LOOPBACK = ("localhost", "127.", "::1")
_SECONDS_FOR_PIP = 30

BUILD_FOLDER = "/build"
"""Where the Dockerfiles copy what is generated here."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What a build takes over from this machine."""

    files: dict[str, bytes]
    """Name below `/build` -> content: `pip.conf`, and `ca.crt` when there is a bundle."""
    build_args: dict[str, str]
    """Proxy variables. Docker predefines these arguments and keeps them out of an image's history."""
    network: str | None
    """`host` when an index or proxy listens on this machine's loopback address, else None."""
    notes: tuple[str, ...]
    """What was dropped, and why. Names settings, never their values, which may hold credentials."""


def host_settings(environ: Mapping[str, str] | None = None) -> HostSettings:
    """Read `pip config list` and the environment (`os.environ` when None)."""
    environ = os.environ if environ is None else environ
    found = _pip_config(environ)
    settings, notes = _usable(found)
    bundle = _ca_bundle(found, environ)
    out: dict[str, bytes] = {}
    if bundle is not None:
        out["ca.crt"] = bundle.read_bytes()
        settings["cert"] = [f"{BUILD_FOLDER}/ca.crt"]
    out["pip.conf"] = _pip_conf(settings).encode()
    proxies = _proxies(environ)
    urls = [url for key in (*_URL_KEYS, "proxy") for url in settings.get(key, [])]
    urls += [url for name, url in proxies.items() if name.upper() != "NO_PROXY"]
    network = "host" if any(_on_loopback(url) for url in urls) else None
    return HostSettings(files=out, build_args=proxies, network=network, notes=tuple(notes))


def _pip_config(environ: Mapping[str, str]) -> dict[str, str]:
    """Setting -> value, as pip itself resolves files and variables: `install` over `global`, the environment on top."""
    resolved: dict[str, str] = {}
    lines = _pip_config_lines(environ)
    for prefix in ("global.", "install.", ":env:."):
        for line in lines:
            key, separator, value = line.partition("=")
            if separator and key.startswith(prefix):
                resolved[key.removeprefix(prefix).replace("_", "-")] = str(ast.literal_eval(value))
    if "default-timeout" in resolved:
        resolved.setdefault("timeout", resolved["default-timeout"])
    return resolved


def _pip_config_lines(environ: Mapping[str, str]) -> list[str]:
    """The output of `pip config list`; without any pip, the PIP_* variables in the same form."""
    for command in _pips():
        result = subprocess.run(
            [*command, "config", "list"],
            capture_output=True,
            text=True,
            env=dict(environ),
            timeout=_SECONDS_FOR_PIP,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if result.returncode == 0:
            return result.stdout.splitlines()
    return [
        f":env:.{name.removeprefix('PIP_').lower()}={value!r}"
        for name, value in environ.items()
        if name.startswith("PIP_")
    ]


def _pips() -> Iterator[list[str]]:
    yield [sys.executable, "-m", "pip"]  # a uv environment has none
    for name in ("pip3", "pip"):
        path = shutil.which(name)
        if path:
            yield [path]


def _usable(found: Mapping[str, str]) -> tuple[dict[str, list[str]], list[str]]:
    """The settings that mean something inside a container, and notes on those that do not."""
    settings: dict[str, list[str]] = {}
    notes: list[str] = []
    for key in _KEYS:
        values = found.get(key, "").split()
        kept = [value for value in values if not _local_path(key, value)]
        if len(kept) < len(values):
            notes.append(f"pip's {key}: {len(values) - len(kept)} local path(s) left out, a container cannot see them")
        if kept:
            settings[key] = kept
    if "no-index" in settings and "find-links" not in settings:
        del settings["no-index"]
        notes.append("pip's no-index left out: what it would leave, local folders, a container cannot see")
    return settings, notes


def _local_path(key: str, value: str) -> bool:
    return key in _URL_KEYS and urlsplit(value).scheme not in ("http", "https")


def _ca_bundle(found: Mapping[str, str], environ: Mapping[str, str]) -> Path | None:
    """pip's own setting, then what other tools are told, then the system's: an inspecting proxy's CA is in all."""
    named = [found.get("cert", ""), *(environ.get(variable, "") for variable in _CA_VARIABLES)]
    candidates = [Path(name) for name in named if name] + list(_CA_SYSTEM)
    return next((path for path in candidates if path.is_file()), None)


def _pip_conf(settings: Mapping[str, list[str]]) -> str:
    lines = ["[global]"]
    for key, values in settings.items():
        lines.append(f"{key} = " + "\n    ".join(values))
    return "\n".join(lines) + "\n"


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Both spellings, since tools differ in which they read."""
    proxies = {}
    for name in _PROXY_VARIABLES:
        value = environ.get(name.lower()) or environ.get(name)
        if value:
            proxies[name] = value
            proxies[name.lower()] = value
    return proxies


def _on_loopback(value: str) -> bool:
    host = urlsplit(value if "//" in value else f"//{value}").hostname or ""
    return host.startswith(_LOOPBACK)
