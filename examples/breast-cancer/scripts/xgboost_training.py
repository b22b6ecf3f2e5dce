"""Train a binary XGBoost classifier, in script mode.

Reads   /opt/ml/input/data/train/*.csv and /opt/ml/input/data/validation/*.csv, and hyperparameters from the command
        line and from /opt/ml/input/config/hyperparameters.json (the command line wins)
Writes  /opt/ml/model: xgboost_model.json, features.json, hyperparameters.json (SageMaker archives it as model.tar.gz)
        /opt/ml/output/data: metrics.json, training_log.csv, feature_importance.csv (archived as output.tar.gz)
        /opt/ml/output/failure: one line, when it fails
Environment: ID_FIELD, LABEL_FIELD, SEED (default 42).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import traceback
from pathlib import Path

import pandas as pd
import xgboost as xgb

logger = logging.getLogger("xgboost_training")

INPUT_PATHS = {
    "train": "/opt/ml/input/data/train",
    "validation": "/opt/ml/input/data/validation",
    "hyperparameters": "/opt/ml/input/config/hyperparameters.json",
}
OUTPUT_PATHS = {"model_output": "/opt/ml/model", "evaluation_output": "/opt/ml/output/data"}
FAILURE_FILE = Path("/opt/ml/output/failure")

DEFAULTS: dict[str, int | float | str] = {
    "objective": "binary:logistic",
    "max_depth": 3,
    "eta": 0.1,
    "min_child_weight": 1.0,
    "subsample": 1.0,
    "colsample_bytree": 1.0,
    "reg_lambda": 1.0,
    "num_round": 100,
    "early_stopping_rounds": 10,
}
ROUNDS = ("num_round", "early_stopping_rounds")


def resolve_hyperparameters(file: Path, job_args: argparse.Namespace) -> dict[str, int | float | str]:
    """Defaults, then the file, then the command line. Raises ValueError for an unknown name or a wrong type."""
    given: dict[str, object] = {}
    if file.is_file():
        given.update(json.loads(file.read_text(encoding="utf-8")))
    given = {name: value for name, value in given.items() if not name.startswith("sagemaker_") and name != "job_type"}
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"unknown hyperparameters in {file.name}: {unknown}; known are {sorted(DEFAULTS)}")
    given.update({name: getattr(job_args, name) for name in DEFAULTS if getattr(job_args, name, None) is not None})
    return {**DEFAULTS, **{name: typed(name, value) for name, value in given.items()}}


def typed(name: str, value: object) -> int | float | str:
    """The value as its default's type. SageMaker's SDK puts text in quotes a second time: `"\\"binary:logistic\\""`."""
    text = str(value).strip('"')
    try:
        return type(DEFAULTS[name])(text)
    except ValueError:
        raise ValueError(f"hyperparameter {name}={text!r} is no {type(DEFAULTS[name]).__name__}") from None


def read_channel(directory: Path, id_field: str, label_field: str) -> tuple[pd.DataFrame, pd.Series]:
    """Features and label of all `*.csv` files of a channel."""
    files = sorted(directory.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"channel {directory.name!r} holds no *.csv file")
    frame = pd.concat([pd.read_csv(file, dtype={id_field: str}) for file in files], ignore_index=True)
    if label_field not in frame.columns:
        raise ValueError(f"channel {directory.name!r} has no column {label_field!r}; it has {list(frame.columns)}")
    if not frame[label_field].isin([0, 1]).all():
        found = frame[label_field].unique()[:5].tolist()
        raise ValueError(f"{label_field!r} must be 0 or 1; channel {directory.name!r} has {found}")
    return frame.drop(columns=[id_field, label_field], errors="ignore"), frame[label_field]


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> dict[str, object]:
    id_field = environ_vars.get("ID_FIELD", "id")
    label_field = environ_vars.get("LABEL_FIELD", "label")
    hyperparameters = resolve_hyperparameters(Path(input_paths["hyperparameters"]), job_args)
    logger.info("job type %s, xgboost %s, hyperparameters %s", job_args.job_type, xgb.__version__, hyperparameters)

    train_x, train_y = read_channel(Path(input_paths["train"]), id_field, label_field)
    validation_x, validation_y = read_channel(Path(input_paths["validation"]), id_field, label_field)
    if list(train_x.columns) != list(validation_x.columns):
        raise ValueError(f"train and validation differ in columns: {sorted(set(train_x) ^ set(validation_x))}")
    logger.info("train %d rows, validation %d rows, %d features", len(train_x), len(validation_x), train_x.shape[1])

    # One thread and a fixed seed: sums of floats come in the same order, so the same data gives the same model.
    parameters = {name: value for name, value in hyperparameters.items() if name not in ROUNDS}
    parameters.update(
        eval_metric=["auc", "logloss"], tree_method="hist", nthread=1, seed=int(environ_vars.get("SEED", "42"))
    )
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgb.train(
        parameters,
        xgb.DMatrix(train_x, label=train_y, nthread=1),
        num_boost_round=int(hyperparameters["num_round"]),
        evals=[
            (xgb.DMatrix(train_x, label=train_y, nthread=1), "train"),
            (xgb.DMatrix(validation_x, label=validation_y, nthread=1), "validation"),
        ],
        early_stopping_rounds=int(hyperparameters["early_stopping_rounds"]),
        evals_result=history,
        verbose_eval=10,
    )
    best = booster[: booster.best_iteration + 1]
    log = pd.DataFrame({f"{data}_{name}": values for data in history for name, values in history[data].items()})
    metrics = {
        "rounds": booster.best_iteration + 1,
        "train_rows": len(train_x),
        "validation_rows": len(validation_x),
        **log.loc[booster.best_iteration].to_dict(),
    }
    write_model(Path(output_paths["model_output"]), best, list(train_x.columns), hyperparameters)
    write_metrics(Path(output_paths["evaluation_output"]), best, metrics, log)
    logger.info("best round %(rounds)d: validation auc %(validation_auc).5f, logloss %(validation_logloss).5f", metrics)
    return metrics


def write_model(directory: Path, booster: xgb.Booster, features: list[str], hyperparameters: dict) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    booster.save_model(directory / "xgboost_model.json")
    (directory / "features.json").write_text(json.dumps(features, indent=2) + "\n")
    (directory / "hyperparameters.json").write_text(json.dumps(hyperparameters, indent=2, sort_keys=True) + "\n")


def write_metrics(directory: Path, booster: xgb.Booster, metrics: dict, log: pd.DataFrame) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    log.to_csv(directory / "training_log.csv", index_label="round")
    gain = pd.Series(booster.get_score(importance_type="total_gain"), name="total_gain")
    gain.sort_values(ascending=False).to_csv(directory / "feature_importance.csv", index_label="feature")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Every hyperparameter arrives as `--name value`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", default="training")
    for name, default in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=type(default), help=f"default {default}")
    return parser.parse_args(argv)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        main(INPUT_PATHS, OUTPUT_PATHS, dict(os.environ), parse_arguments())
    except Exception as error:
        # SageMaker shows the first 1024 characters as the training job's FailureReason.
        FAILURE_FILE.parent.mkdir(parents=True, exist_ok=True)
        FAILURE_FILE.write_text(f"{type(error).__name__}: {error}\n\n{traceback.format_exc()}"[:1024], encoding="utf-8")
        raise
