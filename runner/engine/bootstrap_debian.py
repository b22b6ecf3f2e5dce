"""A base image from the packages of the Debian or Ubuntu that this machine runs: same sources, same proxy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.engine.recipes import LABEL_BASE
from runner.errors import ImageUnavailable

if TYPE_CHECKING:
    from docker import DockerClient

Log = Callable[[str], None]

_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
_SECONDS_TO_MAKE = 900
_LAST_LINES = 15
_OWN_BASE = "name a base image that is here: `--base-image IMAGE` or RUN_PIPELINE_BASE_IMAGE=IMAGE"
_APT_OPTIONS = re.compile(
    r"^Acquire::(?:(?:https?|ftp)::(?:Proxy|CAInfo|Verify-Peer|Verify-Host)(?:::\S+)?|Check-Valid-Until|Check-Date) "
)
# What apt was told for this run may hold a proxy's password, and must not stay in an image.
_FORGET = 'rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"'
_SMALLER = ("path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*")
_OPTION = re.compile(r"^(deb)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+?)\s*$")


def suite(os_release: Path = Path("/etc/os-release")) -> str | None:
    """`bookworm` or the like when this is Debian or Ubuntu, else None."""
    if not os_release.is_file():
        return None
    lines = os_release.read_text(encoding="utf-8").splitlines()
    values = {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines)}
    return values.get("VERSION_CODENAME") if values.get("ID") in ("debian", "ubuntu") else None


def make(client: DockerClient, codename: str, tag: str, log: Log) -> None:
    """Make a minimal system with Python and import it as `tag`. Raises ImageUnavailable. Takes about a minute."""
    root = _as_root()
    if shutil.which("mmdebstrap") is None:
        _run([*root, "apt-get", "update", "-qq"], log)
        _run([*root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "mmdebstrap"], log)
    with tempfile.TemporaryDirectory(prefix="run-pipeline-base-") as folder:
        tar = Path(folder) / "base.tar"
        tar.touch()  # so that it belongs to this user although root fills it
        _run([*root, *command(codename, tar, sources(codename), apt_options())], log)
        _import(client, tar, tag, f"{codename}, made from distribution packages")


def _import(client: DockerClient, tar: Path, tag: str, description: str) -> None:
    from docker.errors import APIError

    repository, _, version = tag.partition(":")
    changes = [f'LABEL {LABEL_BASE}="{description}"', 'CMD ["bash"]']
    try:
        client.api.import_image_from_file(str(tar), repository=repository, tag=version, changes=changes)
    except APIError as error:
        raise ImageUnavailable(f"the engine refused {tag}: {error.explanation}", remedy=_OWN_BASE) from error


def command(codename: str, tar: Path, lines: Sequence[str], options: Sequence[str]) -> list[str]:
    """The argv of mmdebstrap."""
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", f"--include={_PACKAGES}"]
    argv += [f"--aptopt={option}" for option in options]
    argv += [f"--dpkgopt={option}" for option in _SMALLER]
    argv.append(f"--customize-hook={_FORGET}")
    if any(_has_password(line) for line in lines):
        argv.append('--customize-hook=rm -f "$1/etc/apt/sources.list"')
    return [*argv, codename, str(tar), *lines]


def sources(codename: str, root: Path = Path("/etc/apt")) -> list[str]:
    """The host's sources for this suite and its updates, one line each; empty: mmdebstrap's own default."""
    wanted = {codename, f"{codename}-updates", f"{codename}-security"}
    files = [root / "sources.list", *sorted(root.glob("sources.list.d/*"))]
    lines: list[str] = []
    for file in (file for file in files if file.is_file()):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".sources":
            entries = _deb822(text)
        elif file.suffix == ".list":
            entries = _one_line(text)
        else:
            continue
        for options, uri, name, components in entries:
            if name in wanted and "main" in components.split():
                lines.append(f"deb {options}{uri} {name} {components}")
    return list(dict.fromkeys(lines))


def _one_line(text: str) -> Iterable[tuple[str, str, str, str]]:
    for line in text.splitlines():
        found = _OPTION.match(line.partition("#")[0].strip())
        if found:
            yield f"[{found[2]}] " if found[2] else "", found[3], found[4], found[5]


def _deb822(text: str) -> Iterable[tuple[str, str, str, str]]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in (line for line in stanza.splitlines() if not line.startswith("#")):
            if line[:1] in " \t":
                fields[key] = fields.get(key, "") + " " + line.strip()
            else:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        key_file = fields.get("signed-by", "")
        options = f"[signed-by={key_file}] " if key_file.startswith("/") else ""
        for uri in fields.get("uris", "").split():
            for name in fields.get("suites", "").split():
                yield options, uri, name, fields.get("components", "")


def apt_options() -> list[str]:
    """The host's proxy, certificate and date settings of apt."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=30, check=False)
    return [line for line in dump.stdout.splitlines() if _APT_OPTIONS.match(line)]


def _has_password(line: str) -> bool:
    return any("@" in urlsplit(word).netloc for word in line.split() if "://" in word)


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise ImageUnavailable("making a base image from packages needs root, and there is no sudo", remedy=_OWN_BASE)
    # Asked for a password only where somebody can type it.
    return ["sudo"] if sys.stdin is not None and sys.stdin.isatty() else ["sudo", "-n"]


def _run(argv: Sequence[str], log: Log) -> None:
    """Run to the end, output line by line to `log`. Raises ImageUnavailable with the last lines."""
    tail: deque[str] = deque(maxlen=_LAST_LINES)
    bounded = ["timeout", "--foreground", "--kill-after=10", str(_SECONDS_TO_MAKE), *argv]
    with subprocess.Popen(
        bounded, stdin=None, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        for line in process.stdout:
            tail.append(line.rstrip())
            log(line.rstrip())
    if process.returncode != 0:
        program = next(word for word in argv if word not in ("sudo", "-n"))
        shown = "\n".join(f"    {line}" for line in tail)
        raise ImageUnavailable(f"{program} ended with {process.returncode}:\n{shown}", remedy=_OWN_BASE)
