"""The names of one step in its several spellings: `XGBoostTraining_training`, `xgboost_training`, `XGBoostTraining`."""

from __future__ import annotations

import re

JOB_TYPES = ("training", "validation", "testing", "calibration")
"""What may follow a step's canonical name in the name of a node, and what `--job_type` takes."""
SPECIAL = (
    "AutoML",
    "CatBoost",
    "HuggingFace",
    "LightGBM",
    "MLFlow",
    "MLflow",
    "PySpark",
    "PyTorch",
    "SageMaker",
    "TensorFlow",
    "XGBoost",
)
"""Names with capitals inside that are one word all the same."""
_SPECIAL = re.compile("|".join(SPECIAL))
_ACRONYM = re.compile(r"([A-Z]+)([A-Z][a-z])")
_HUMP = re.compile(r"([a-z0-9])([A-Z])")
_GAP = re.compile(r"[_\-\s]+")


def split_job_type(node: str) -> tuple[str, str | None]:
    """Canonical name and job type of a node: what precedes the first `_`, where the rest is a job type."""
    base, _, rest = node.partition("_")
    return (base, rest.lower()) if base and rest.lower() in JOB_TYPES else (node, None)


def readings(node: str) -> list[tuple[str, str | None]]:
    """What a node's name may mean, the likeliest first: canonical name and job type, and the name as a whole.

    Step types begin with a capital: `XGBoost_training` is a job type of XGBoost, `xgboost_training` rather a script.
    """
    base, job_type = split_job_type(node)
    if job_type is None:
        return [(node, None)]
    both: list[tuple[str, str | None]] = [(base, job_type), (node, None)]
    return both if base[0].isupper() else both[::-1]


def snake_case(name: str) -> str:
    """`XGBoostModelEval` -> `xgboost_model_eval`; a name in snake case stays as it is."""
    text = _SPECIAL.sub(lambda found: f"_{found[0].lower()}_", name)
    text = _HUMP.sub(r"\1_\2", _ACRONYM.sub(r"\1_\2", text))
    return _GAP.sub("_", text).strip("_").lower()


def folded(name: str) -> str:
    """What all spellings of a name have in common."""
    return _GAP.sub("", name).casefold()
