"""Fit a calibrator on rows that neither training nor evaluation saw, and measure what it brings.

Reads   /opt/ml/processing/input/model/model.tar.gz (unopened, as training left it) and
        /opt/ml/processing/input/calibration_data/*.csv
Writes  /opt/ml/processing/output/calibration_output: calibrator.json, calibration_metrics.json
        /opt/ml/processing/output/calibrated_data/calibrated.csv
Environment: ID_FIELD, LABEL_FIELD, FOLDS (default 5), SEED (default 42).

The figures after calibration are out of fold: each row is judged by a calibrator that did not see it. The calibrator
that is written is fitted on all rows.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import processing_job
from probability import PlattCalibrator, quality, sigmoid
from sklearn.model_selection import StratifiedKFold
from trained_model import TrainedModel, read_labelled

logger = logging.getLogger("model_calibration")

INPUT_PATHS = {
    "model_input": "/opt/ml/processing/input/model",
    "calibration_data": "/opt/ml/processing/input/calibration_data",
}
OUTPUT_PATHS = {
    "calibration_output": "/opt/ml/processing/output/calibration_output",
    "calibrated_data": "/opt/ml/processing/output/calibrated_data",
}


def out_of_fold(margin: np.ndarray, label: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Calibrated probability of each row, by a calibrator fitted on the other folds. Shapes (n,)."""
    calibrated = np.empty(len(label))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fitted, judged in splitter.split(margin, label):
        calibrated[judged] = PlattCalibrator.fit(margin[fitted], label[fitted]).apply(margin[judged])
    return calibrated


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> str:
    id_field = environ_vars.get("ID_FIELD", "id")
    label_field = environ_vars.get("LABEL_FIELD", "label")
    folds = int(environ_vars.get("FOLDS", "5"))
    seed = int(environ_vars.get("SEED", "42"))

    model = TrainedModel.from_input(Path(input_paths["model_input"]))
    rows = read_labelled(Path(input_paths["calibration_data"]), id_field, label_field)
    label = rows[label_field].to_numpy()
    smallest = int(rows[label_field].value_counts().reindex([0, 1], fill_value=0).min())
    if smallest < folds:
        raise ValueError(f"{folds} folds need at least {folds} rows of each class; the smaller class has {smallest}")
    logger.info("job type %s, %d rows, %d positive", job_args.job_type, len(rows), int(label.sum()))

    margin = model.margin(rows)
    raw = sigmoid(margin)
    calibrated = out_of_fold(margin, label, folds, seed)
    calibrator = PlattCalibrator.fit(margin, label)
    metrics = {
        "rows": len(rows),
        "folds": folds,
        "before": quality(label, raw),
        "after": quality(label, calibrated),
    }

    directory = Path(output_paths["calibration_output"])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "calibrator.json").write_text(json.dumps({"method": "platt", **asdict(calibrator)}, indent=2) + "\n")
    (directory / "calibration_metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    directory = Path(output_paths["calibrated_data"])
    directory.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(
        {id_field: rows[id_field], label_field: label, "prob_class_1": raw, "calibrated_prob_class_1": calibrated}
    )
    table.to_csv(directory / "calibrated.csv", index=False)

    message = "calibration error {:.4f} before, {:.4f} after, on {} rows".format(
        metrics["before"]["expected_calibration_error"], metrics["after"]["expected_calibration_error"], len(rows)
    )
    logger.info("%s; calibrator %s", message, calibrator)
    return message


if __name__ == "__main__":
    processing_job.run(main, INPUT_PATHS, OUTPUT_PATHS, default_job_type="calibration")
