"""Score the test rows with the trained model and measure it.

Reads   /opt/ml/processing/input/model/model.tar.gz (unopened, as training left it) and
        /opt/ml/processing/input/processed_data/*.csv
Writes  /opt/ml/processing/output/eval_output/predictions.csv
        /opt/ml/processing/output/metrics_output/evaluation.json
Environment: ID_FIELD, LABEL_FIELD, THRESHOLD (default 0.5: from here on class 1 is predicted).
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import processing_job
from probability import quality, sigmoid
from sklearn.metrics import confusion_matrix, roc_auc_score
from trained_model import TrainedModel, read_labelled

logger = logging.getLogger("xgboost_model_eval")

INPUT_PATHS = {
    "model_input": "/opt/ml/processing/input/model",
    "processed_data": "/opt/ml/processing/input/processed_data",
}
OUTPUT_PATHS = {
    "eval_output": "/opt/ml/processing/output/eval_output",
    "metrics_output": "/opt/ml/processing/output/metrics_output",
}


def evaluate(label: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, object]:
    """Figures of a binary classifier; both arrays of shape (n,). Raises ValueError when only one class is present."""
    if len(np.unique(label)) != 2:
        raise ValueError(f"the test rows hold only class {np.unique(label).tolist()}: no AUC can be measured")
    predicted = (probability >= threshold).astype(int)
    negative, false_positive, false_negative, positive = (
        int(count) for count in confusion_matrix(label, predicted, labels=[0, 1]).ravel()
    )
    return {
        "rows": len(label),
        "threshold": threshold,
        "auc": float(roc_auc_score(label, probability)),
        "accuracy": (negative + positive) / len(label),
        "precision": positive / (positive + false_positive) if positive + false_positive else 0.0,
        "recall": positive / (positive + false_negative),
        **quality(label, probability),
        "confusion_matrix": {
            "true_negative": negative,
            "false_positive": false_positive,
            "false_negative": false_negative,
            "true_positive": positive,
        },
    }


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> str:
    id_field = environ_vars.get("ID_FIELD", "id")
    label_field = environ_vars.get("LABEL_FIELD", "label")
    threshold = float(environ_vars.get("THRESHOLD", "0.5"))
    if not 0 < threshold < 1:
        raise ValueError(f"THRESHOLD must lie between 0 and 1, not {threshold}")

    model = TrainedModel.from_input(Path(input_paths["model_input"]))
    rows = read_labelled(Path(input_paths["processed_data"]), id_field, label_field)
    logger.info("job type %s, %d rows, %d features", job_args.job_type, len(rows), len(model.features))

    probability = sigmoid(model.margin(rows))
    label = rows[label_field].to_numpy()
    evaluation = evaluate(label, probability, threshold)

    directory = Path(output_paths["eval_output"])
    directory.mkdir(parents=True, exist_ok=True)
    predictions = pd.DataFrame(
        {
            id_field: rows[id_field],
            label_field: label,
            "prob_class_1": probability,
            "predicted": (probability >= threshold).astype(int),
        }
    )
    predictions.to_csv(directory / "predictions.csv", index=False)
    directory = Path(output_paths["metrics_output"])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "evaluation.json").write_text(json.dumps(evaluation, indent=2) + "\n")

    message = "AUC {auc:.4f}, accuracy {accuracy:.4f}, log loss {log_loss:.4f} on {rows} rows".format(**evaluation)
    logger.info("%s, confusion matrix %s", message, evaluation["confusion_matrix"])
    return message


if __name__ == "__main__":
    processing_job.run(main, INPUT_PATHS, OUTPUT_PATHS, default_job_type="testing")
