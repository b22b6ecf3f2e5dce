"""AWS credentials of this machine, for steps that ask for them.

They go from here to the container and nowhere else: no job, plan, script or log has them, and `repr` hides them.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from runner.errors import EnvironmentFault

KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
EXPIRATION = "AWS_CREDENTIAL_EXPIRATION"
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REMEDY = f"set {KEY} and {SECRET}, or log in with the AWS CLI; or take `credentials` out of the step"


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str
    token: str = ""
    """Empty for long-lived keys."""
    expiration: str = ""
    """UTC, ISO 8601; empty when it is not known, or never."""
    region: str = ""
    origin: str = ""
    """Where they were found, in words."""

    def __repr__(self) -> str:
        return f"Credentials(<hidden>, from {self.origin})"

    def region_variables(self) -> dict[str, str]:
        return dict.fromkeys(REGIONS, self.region) if self.region else {}

    def variables(self) -> dict[str, str]:
        """As a script's environment has them with `credentials: environment`."""
        token = {TOKEN: self.token} if self.token else {}
        return {KEY: self.access_key, SECRET: self.secret_key, **token, **self.region_variables()}

    def document(self) -> dict[str, str]:
        """As the endpoint of `credentials: endpoint` answers; where `Expiration` is empty the endpoint sets one."""
        return {
            "AccessKeyId": self.access_key,
            "SecretAccessKey": self.secret_key,
            "Token": self.token,
            "Expiration": self.expiration,
        }


def host_credentials(environ: Mapping[str, str] = os.environ) -> Credentials:
    """The environment's, else what botocore finds where it is installed, else those of the shared file.

    Raises EnvironmentFault that says where it looked.
    """
    if KEY in environ or SECRET in environ:
        return _of_environment(environ)
    session = _botocore()
    if session is not None:
        found, looked = _of_botocore(session), "botocore's own chain (profiles, SSO, instance roles)"
    else:
        found, looked = _of_file(environ), f"{_where(environ)} (botocore, for SSO and roles, is not installed)"
    if found is None:
        raise EnvironmentFault(
            f"this machine has no AWS credentials: not in {KEY} and {SECRET}, not in {looked}", remedy=_REMEDY
        )
    return found


def _of_environment(environ: Mapping[str, str]) -> Credentials:
    missing = [name for name in (KEY, SECRET) if not environ.get(name)]
    if missing:
        other = KEY if missing == [SECRET] else SECRET
        what = f"{other} is set, and {missing[0]} is not" if len(missing) == 1 else f"{KEY} and {SECRET} are empty"
        raise EnvironmentFault(f"the AWS credentials in the environment are not whole: {what}", remedy=_REMEDY)
    return Credentials(
        access_key=environ[KEY],
        secret_key=environ[SECRET],
        token=environ.get(TOKEN, ""),
        expiration=environ.get(EXPIRATION, ""),
        region=_region(environ),
        origin="the environment",
    )


@cache
def _botocore() -> Any:
    """The one session of botocore's, which renews what expires and asks for a one-time password only once; None where
    it is not installed."""
    try:
        return import_module("botocore.session").Session()
    except ImportError:
        return None


def _of_botocore(session: Any) -> Credentials | None:
    errors = import_module("botocore.exceptions")
    try:
        found = session.get_credentials()
        frozen = None if found is None else found.get_frozen_credentials()
        region = session.get_config_variable("region")
    except (errors.BotoCoreError, errors.ClientError) as error:
        raise EnvironmentFault(f"botocore cannot get AWS credentials: {error}", remedy=_REMEDY) from error
    if frozen is None or not frozen.access_key:
        return None
    expiry = getattr(found, "_expiry_time", None)  # no public name has it
    return Credentials(
        access_key=frozen.access_key,
        secret_key=frozen.secret_key,
        token=frozen.token or "",
        expiration=expiry.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(expiry, datetime) else "",
        region=region or "",
        origin=f"botocore ({found.method})",
    )


def _profile(environ: Mapping[str, str]) -> str:
    return environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"


def _file(environ: Mapping[str, str], variable: str, name: str) -> Path:
    home = Path(environ.get("HOME") or Path.home())
    given = environ.get(variable)
    return Path(given.replace("~", str(home), 1) if given.startswith("~") else given) if given else home / ".aws" / name


def _where(environ: Mapping[str, str]) -> str:
    path = _file(environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
    return f"profile '{_profile(environ)}' of {path}" if path.is_file() else f"{path}, which does not exist"


def _of_file(environ: Mapping[str, str]) -> Credentials | None:
    """Static keys only: what else a profile may say needs botocore."""
    profile = _profile(environ)
    own = _section(_file(environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile)
    named = profile if profile == "default" else f"profile {profile}"
    config = _section(_file(environ, "AWS_CONFIG_FILE", "config"), named)
    both = {**config, **own}
    key, secret = both.get(KEY.lower()), both.get(SECRET.lower())
    if not key or not secret:
        return None
    return Credentials(
        access_key=key,
        secret_key=secret,
        token=both.get(TOKEN.lower(), ""),
        region=_region(environ) or both.get("region", ""),
        origin=_where(environ),
    )


def _section(path: Path, name: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, default_section="\0")
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be read: {error.strerror}", remedy=_REMEDY) from error
    except (configparser.Error, UnicodeDecodeError) as error:
        # Their own words show lines of the file, which may be secret.
        raise EnvironmentFault(f"{path} is no file of profiles ({type(error).__name__})", remedy=_REMEDY) from None
    return dict(parser[name]) if parser.has_section(name) else {}


def _region(environ: Mapping[str, str]) -> str:
    return next((environ[name] for name in REGIONS if environ.get(name)), "")
