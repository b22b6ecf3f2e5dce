"""Where this machine's AWS credentials come from, and that they show up nowhere by accident."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from runner.engine import credentials
from runner.engine.credentials import Credentials, host_credentials
from runner.errors import EnvironmentFault

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret-of-the-environment"}


@pytest.fixture(autouse=True)
def _a_new_session() -> Iterator[None]:
    credentials._botocore.cache_clear()
    yield
    credentials._botocore.cache_clear()


@pytest.fixture
def no_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)


@pytest.fixture
def home(tmp_path: Path, no_botocore: None) -> Path:
    (tmp_path / ".aws").mkdir()
    return tmp_path


def of(home: Path, **environ: str) -> Credentials:
    return host_credentials({"HOME": str(home), **environ})


def write(home: Path, name: str, text: str) -> None:
    (home / ".aws" / name).write_text(text)


def test_the_environment_wins(home: Path) -> None:
    write(home, "credentials", "[default]\naws_access_key_id = other\naws_secret_access_key = other\n")
    found = of(home, **KEYS, AWS_SESSION_TOKEN="token", AWS_DEFAULT_REGION="eu-west-1")
    assert found.variables() == {
        **KEYS,
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    assert "AWS_SESSION_TOKEN" not in of(home, **KEYS).variables()


def test_half_of_a_pair_is_no_reason_to_look_elsewhere(home: Path) -> None:
    with pytest.raises(EnvironmentFault, match="AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"):
        of(home, AWS_ACCESS_KEY_ID="AKIA")


@pytest.mark.parametrize(
    ("environ", "key", "region"),
    [({}, "one", "eu-west-1"), ({"AWS_PROFILE": "two"}, "two", ""), ({"AWS_PROFILE": "three"}, "three", "us-west-2")],
)
def test_profiles_of_the_shared_files(home: Path, environ: Mapping[str, str], key: str, region: str) -> None:
    pairs = "aws_access_key_id = {0}\naws_secret_access_key = s%{0}\n"
    write(home, "credentials", f"[default]\n{pairs.format('one')}[two]\n{pairs.format('two')}")
    three = f"[profile three]\nregion = us-west-2\n{pairs.format('three')}"
    write(home, "config", f"[default]\nregion = eu-west-1\n{three}")
    found = of(home, **environ)
    assert (found.access_key, found.secret_key, found.region) == (key, f"s%{key}", region)


def test_other_places_of_the_files(home: Path) -> None:
    (home / "keys").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n")
    found = of(home, AWS_SHARED_CREDENTIALS_FILE="~/keys")
    assert (found.access_key, found.token) == ("a", "c")


def test_none_at_all_says_where_it_looked(home: Path) -> None:
    with pytest.raises(EnvironmentFault) as raised:
        of(home)
    assert raised.value.exit_code == 3
    for words in ("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", f"{home}/.aws/credentials, which does not exist"):
        assert words in raised.value.message
    write(home, "credentials", "[default]\n")
    with pytest.raises(EnvironmentFault, match="profile 'x' of "):
        of(home, AWS_PROFILE="x")


def test_a_broken_file_is_not_shown(home: Path) -> None:
    write(home, "credentials", "aws_secret_access_key = do-not-show-me\n")
    with pytest.raises(EnvironmentFault) as raised:
        of(home)
    assert "MissingSectionHeaderError" in raised.value.message
    assert "do-not-show-me" not in f"{raised.value}{raised.value.remedy}{raised.value.__context__ and ''}"
    assert raised.value.__cause__ is None


def test_they_hide_from_repr() -> None:
    found = Credentials("AKIA", "very-secret", token="very-token", origin="here")
    assert repr(found) == str(found) == "Credentials(<hidden>, from here)"


def botocore(monkeypatch: pytest.MonkeyPatch, session: type) -> None:
    """A stand-in for a package that this environment lacks."""

    class BotoCoreError(Exception):
        pass

    class ClientError(Exception):
        pass

    whole: dict[str, Any] = {"botocore": {}, "botocore.session": {"Session": session}}
    for name, content in {
        **whole,
        "botocore.exceptions": {"BotoCoreError": BotoCoreError, "ClientError": ClientError},
    }.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)


def test_botocore_is_asked_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Session:
        def get_credentials(self) -> Any:
            frozen = SimpleNamespace(access_key="ASIA", secret_key="s", token="t")
            return SimpleNamespace(method="sso", get_frozen_credentials=lambda: frozen)

        def get_config_variable(self, name: str) -> str:
            return {"region": "eu-north-1"}[name]

    botocore(monkeypatch, Session)
    found = of(tmp_path)
    assert (found.access_key, found.token, found.region, found.origin) == ("ASIA", "t", "eu-north-1", "botocore (sso)")


def test_what_botocore_cannot_do_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Session:
        def get_credentials(self) -> Any:
            raise sys.modules["botocore.exceptions"].BotoCoreError("the token has expired")

    botocore(monkeypatch, Session)
    with pytest.raises(EnvironmentFault, match="the token has expired"):
        of(tmp_path)
