from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from runner.sagemaker.identity import job_name, s3_uri

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@given(st.text(), st.text())
@example("", "")
@example("p" * 100, "s" * 100)
@example("a_b", "-c-")
def test_job_names_are_valid(pipeline: str, step: str) -> None:
    assert NAME.fullmatch(job_name(pipeline, step))
    assert job_name(pipeline, step) == job_name(pipeline, step)


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
@example(("demo", "a_b"), ("demo", "a-b"))
@example(("a", "b-c"), ("a-b", "c"))
def test_two_steps_have_two_names(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (job_name(*one) == job_name(*other)) == (one == other)


def test_names_stay_readable() -> None:
    assert job_name("breast-cancer", "XGBoost_Training").startswith("breast-cancer-XGBoost-Training-")


def test_s3_parts_stay_apart() -> None:
    assert s3_uri("a/b", "c d", "ü") == "s3://local/a%2Fb/c%20d/%C3%BC"
