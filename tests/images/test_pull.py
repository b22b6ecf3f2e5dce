"""Pulling: references, and the kinds of failure."""

from __future__ import annotations

import pytest

from runner.engine.pull import PullFailure, classify, split


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("alpine", ("alpine", "latest")),
        ("python:3.12-slim", ("python", "3.12-slim")),
        ("registry.example.com:5000/team/image", ("registry.example.com:5000/team/image", "latest")),
        ("registry.example.com:5000/team/image:1", ("registry.example.com:5000/team/image", "1")),
        ("alpine@sha256:abc", ("alpine", "sha256:abc")),
        ("alpine:3@sha256:abc", ("alpine", "sha256:abc")),
    ],
)
def test_references_are_split_as_docker_does(reference: str, parts: tuple[str, str]) -> None:
    assert split(reference) == parts


@pytest.mark.parametrize(
    ("message", "failure"),
    [
        ("dial tcp: lookup registry.example.com on 10.0.0.1:53: no such host", PullFailure.UNREACHABLE),
        ("net/http: request canceled while waiting for connection (Client.Timeout exceeded)", PullFailure.UNREACHABLE),
        ("dial tcp 10.0.0.9:443: connect: connection refused", PullFailure.UNREACHABLE),
        ("proxyconnect tcp: dial tcp 10.0.0.9:3128: i/o timeout", PullFailure.UNREACHABLE),
        ("x509: certificate signed by unknown authority", PullFailure.UNTRUSTED),
        ("pull access denied for nope, repository does not exist or may require 'docker login'", PullFailure.REFUSED),
        ("manifest for python:9 not found: manifest unknown", PullFailure.REFUSED),
        ("toomanyrequests: You have reached your pull rate limit", PullFailure.REFUSED),
        ("no basic auth credentials", PullFailure.REFUSED),
    ],
)
def test_an_unreachable_registry_is_not_a_refusal(message: str, failure: PullFailure) -> None:
    assert classify(f'Get "https://registry.example.com/v2/": {message}') is failure
