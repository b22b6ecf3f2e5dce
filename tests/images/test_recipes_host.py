"""What a build takes over from the host's pip, and what it must not."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.engine import recipes_host
from runner.engine.recipes_host import HostSettings, host_settings

Settings = Callable[..., HostSettings]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """`settings(*lines of pip config list, **environment)` with no certificate bundle of the system's."""
    monkeypatch.setattr(recipes_host, "_CA_SYSTEM", ())

    def read(*lines: str, **environ: str) -> HostSettings:
        pip = tmp_path / "pip"
        output = tmp_path / "lines"
        output.write_text("".join(f"{line}\n" for line in lines))
        pip.write_text(f"#!/bin/sh\ncat '{output}'\n")
        pip.chmod(pip.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(recipes_host, "_pips", lambda: iter([[str(pip)]]))
        return host_settings(environ)

    return read


def pip_conf(found: HostSettings) -> str:
    return found.files["pip.conf"].decode()


def test_index_settings_are_taken_over(settings: Settings) -> None:
    found = settings(
        "global.index-url='https://user:pa%40ss@pypi.example.com/simple'",
        "global.extra-index-url='https://a.example.com/simple https://b.example.com/simple'",
        "global.trusted-host='pypi.example.com'",
        "global.timeout='99'",
    )
    assert pip_conf(found) == (
        "[global]\n"
        "index-url = https://user:pa%40ss@pypi.example.com/simple\n"
        "extra-index-url = https://a.example.com/simple\n    https://b.example.com/simple\n"
        "trusted-host = pypi.example.com\n"
        "timeout = 99\n"
    )
    assert found.notes == ()
    assert found.network is None


def test_the_environment_wins_over_install_wins_over_global(settings: Settings) -> None:
    lines = [":env:.index-url='https://env/'", "install.index-url='https://install/'", "global.index-url='https://g/'"]
    assert "index-url = https://env/" in pip_conf(settings(*lines))
    assert "index-url = https://install/" in pip_conf(settings(*lines[1:]))


def test_settings_that_would_break_a_build_stay_behind(settings: Settings) -> None:
    assert (
        pip_conf(settings("global.user='true'", "global.target='/x'", "install.require-virtualenv='1'")) == "[global]\n"
    )


def test_local_folders_are_left_out_with_a_note_that_shows_no_value(settings: Settings) -> None:
    found = settings(
        "global.find-links='/opt/secret-wheels https://wheels.example.com/'",
        "global.extra-index-url='file:///opt/secret/simple'",
    )
    assert pip_conf(found) == "[global]\nfind-links = https://wheels.example.com/\n"
    assert [note.split(":")[0] for note in found.notes] == ["pip's extra-index-url", "pip's find-links"]
    assert not any("secret" in note for note in found.notes)


def test_no_index_is_pointless_without_the_local_folder(settings: Settings) -> None:
    found = settings("global.no-index='true'", "global.find-links='/wheels'")
    assert "no-index" not in pip_conf(found)
    assert any("no-index left out" in note for note in found.notes)


@pytest.mark.parametrize("variable", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_ca_bundle_is_taken_along(settings: Settings, tmp_path: Path, variable: str) -> None:
    bundle = tmp_path / "corporate.pem"
    bundle.write_bytes(b"PEM")
    found = settings(**{variable: str(bundle)})
    assert found.files["ca.crt"] == b"PEM"
    assert "cert = /build/ca.crt" in pip_conf(found)


def test_pips_own_bundle_wins(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "pip.pem").write_bytes(b"pip's")
    (tmp_path / "other.pem").write_bytes(b"other")
    found = settings(f"global.cert='{tmp_path / 'pip.pem'}'", SSL_CERT_FILE=str(tmp_path / "other.pem"))
    assert found.files["ca.crt"] == b"pip's"


def test_without_a_bundle_pip_uses_its_own(settings: Settings, tmp_path: Path) -> None:
    found = settings(SSL_CERT_FILE=str(tmp_path / "missing"))
    assert set(found.files) == {"pip.conf"}
    assert "cert" not in pip_conf(found)


def test_proxies_become_arguments_in_both_spellings(settings: Settings) -> None:
    found = settings(HTTPS_PROXY="http://proxy.example.com:3128", no_proxy="localhost,.example.com")
    assert found.build_args == {
        "HTTPS_PROXY": "http://proxy.example.com:3128",
        "https_proxy": "http://proxy.example.com:3128",
        "NO_PROXY": "localhost,.example.com",
        "no_proxy": "localhost,.example.com",
    }
    assert found.network is None, "that localhost needs no proxy does not put an index there"


@pytest.mark.parametrize("url", ["http://localhost:3141/simple", "https://u:p@127.0.0.1/simple", "http://[::1]:80/"])
def test_an_index_on_this_machine_needs_its_network(settings: Settings, url: str) -> None:
    assert settings(f"global.index-url='{url}'").network == "host"


def test_a_proxy_on_this_machine_needs_its_network(settings: Settings) -> None:
    assert settings(http_proxy="http://127.0.0.1:3128").network == "host"
    assert settings("global.proxy='localhost:3128'").network == "host"


def test_without_any_pip_its_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes_host, "_pips", lambda: iter(()))
    found = host_settings({"PIP_INDEX_URL": "https://pypi.example.com/simple", "PIP_DEFAULT_TIMEOUT": "7", "HOME": "/"})
    assert "index-url = https://pypi.example.com/simple" in pip_conf(found)
    assert "timeout = 7" in pip_conf(found)
