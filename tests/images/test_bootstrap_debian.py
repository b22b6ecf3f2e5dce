"""Making a base from distribution packages: the host's sources and settings, and no trace of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine import bootstrap, bootstrap_debian
from runner.engine.bootstrap import BaseChooser
from runner.engine.pull import PullError, PullFailure
from runner.engine.recipes import Recipe
from runner.errors import ImageUnavailable

DEB822 = """\
# the main archive
Types: deb deb-src
URIs: http://mirror.example.com/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example.com/security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://off.example.com/debian
Suites: bookworm
Components: main
Enabled: no
"""
LIST = """\
# comment
deb [arch=amd64 signed-by=/k.gpg] http://list.example.com/debian bookworm main
deb-src http://list.example.com/debian bookworm main
deb http://vendor.example.com/apt vendor-bookworm main
deb http://vendor.example.com/apt bookworm stable
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "vendor.list").write_text(LIST)
    (tmp_path / "sources.list.d" / "old.save").write_text("deb http://old.example.com/debian bookworm main\n")
    return tmp_path


def test_the_hosts_sources_of_this_suite_are_used_and_no_vendors(apt: Path) -> None:
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
    assert bootstrap_debian.sources("bookworm", apt) == [
        f"deb {key}http://mirror.example.com/debian bookworm main contrib",
        f"deb {key}http://mirror.example.com/debian bookworm-updates main contrib",
        "deb http://mirror.example.com/security bookworm-security main",
        "deb [arch=amd64 signed-by=/k.gpg] http://list.example.com/debian bookworm main",
    ]


def test_no_sources_leave_it_to_mmdebstrap(tmp_path: Path) -> None:
    assert bootstrap_debian.sources("bookworm", tmp_path) == []


def test_the_hosts_proxy_is_used_and_forgotten(tmp_path: Path) -> None:
    proxy = 'Acquire::http::Proxy "http://user:secret@proxy.example.com:3128";'
    argv = bootstrap_debian.command("bookworm", tmp_path / "t.tar", ["deb http://m/ bookworm main"], [proxy])
    assert f"--aptopt={proxy}" in argv
    assert any("rm -f" in word and "99mmdebstrap" in word for word in argv)
    assert not any("sources.list" in word for word in argv)
    assert argv[-3:] == ["bookworm", str(tmp_path / "t.tar"), "deb http://m/ bookworm main"]


def test_sources_with_a_password_do_not_stay_in_the_image(tmp_path: Path) -> None:
    lines = ["deb https://user:secret@mirror.example.com/debian bookworm main"]
    argv = bootstrap_debian.command("bookworm", tmp_path / "t.tar", lines, [])
    assert any("rm -f" in word and "sources.list" in word for word in argv)


@pytest.mark.parametrize(
    ("text", "suite"),
    [
        ('ID=debian\nVERSION_CODENAME="bookworm"\n', "bookworm"),
        ("ID=ubuntu\nVERSION_CODENAME=noble\n", "noble"),
        ("ID=fedora\nVERSION_CODENAME=\n", None),
        ("ID=debian\n", None),
    ],
)
def test_only_debian_and_ubuntu_can_make_a_base(tmp_path: Path, text: str, suite: str | None) -> None:
    (tmp_path / "os-release").write_text(text)
    assert bootstrap_debian.suite(tmp_path / "os-release") == suite
    assert bootstrap_debian.suite(tmp_path / "absent") is None


def chooser(monkeypatch: pytest.MonkeyPatch, failure: PullFailure, present: set[str]) -> tuple[BaseChooser, list[str]]:
    """A chooser for which every pull fails in the same way; the second value lists what was pulled or made."""
    did: list[str] = []

    def pull(client: object, reference: str, log: object) -> None:
        did.append(f"pull {reference}")
        raise PullError(reference, failure, "as told")

    def make(client: object, codename: str, tag: str, log: object) -> None:
        did.append(f"make {tag}")
        present.add(tag)

    monkeypatch.setattr(bootstrap, "pull", pull)
    monkeypatch.setattr(bootstrap, "present", lambda client, reference: reference in present)
    monkeypatch.setattr(bootstrap, "_python_of", lambda client, reference: "3.11.2")
    monkeypatch.setattr(bootstrap_debian, "make", make)
    monkeypatch.setattr(bootstrap_debian, "suite", lambda: "bookworm")
    return BaseChooser(client=object(), log=lambda line: None), did  # type: ignore[arg-type]


def recipe(base: str) -> Recipe:
    return Recipe(name="x", folder=Path("x"), default_base=base)


@pytest.mark.parametrize("failure", [PullFailure.UNREACHABLE, PullFailure.UNTRUSTED])
def test_without_a_registry_the_base_is_made_once(monkeypatch: pytest.MonkeyPatch, failure: PullFailure) -> None:
    choose, did = chooser(monkeypatch, failure, set())
    assert choose.choose(recipe("python:3.12")).reference == "run-pipeline/base:bookworm"
    assert choose.choose(recipe("python:3.10")).reference == "run-pipeline/base:bookworm"
    assert did == ["pull python:3.12", "make run-pipeline/base:bookworm"]


def test_a_refusal_is_not_papered_over(monkeypatch: pytest.MonkeyPatch) -> None:
    choose, did = chooser(monkeypatch, PullFailure.REFUSED, set())
    with pytest.raises(ImageUnavailable, match="the registry answered, and refused") as caught:
        choose.choose(recipe("python:3.12"))
    assert "--base-image" in caught.value.remedy
    assert did == ["pull python:3.12"]


def test_a_base_that_is_here_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    choose, did = chooser(monkeypatch, PullFailure.UNREACHABLE, {"python:3.12"})
    assert choose.choose(recipe("python:3.12")).reference == "python:3.12"
    assert did == []


def test_the_users_base_always_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    choose, did = chooser(monkeypatch, PullFailure.UNREACHABLE, {"python:3.12", "mine:1"})
    choose.given = "mine:1"
    assert choose.choose(recipe("python:3.12")).reference == "mine:1"
    choose.given = "missing:1"
    with pytest.raises(PullError, match="missing:1"):
        choose.choose(recipe("python:3.12"))
    assert did == ["pull missing:1"]


def test_elsewhere_the_cure_is_a_base_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    choose, _ = chooser(monkeypatch, PullFailure.UNREACHABLE, set())
    monkeypatch.setattr(bootstrap_debian, "suite", lambda: None)
    with pytest.raises(ImageUnavailable, match="only Debian and Ubuntu") as caught:
        choose.choose(recipe("python:3.12"))
    assert "RUN_PIPELINE_BASE_IMAGE" in caught.value.remedy
