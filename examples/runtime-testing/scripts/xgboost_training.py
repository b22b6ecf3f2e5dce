"""Trains a classifier on train/ of the processed data, and writes it with its score on val/.

Without these directories all of the data serves for both; without a file of hyperparameters the defaults do.
"""

import argparse
import json
import os
from pathlib import Path

import pandas as pd
import xgboost as xgb

INPUT = {
    "input_path": "/opt/ml/input/data/train",
    "hyperparameters_s3_uri": "/opt/ml/input/data/config/hyperparameters.json",
}
OUTPUT = {"model_output": "/opt/ml/model", "evaluation_output": "/opt/ml/output/data"}


def load(folder, part, label):
    place = Path(folder) / part
    files = sorted(place.glob("*.csv") if place.is_dir() else Path(folder).rglob("*.csv"))
    table = pd.concat([pd.read_csv(file) for file in files])
    return table.drop(columns=[label]).select_dtypes("number"), table[label].astype(int)


def main(input_paths, output_paths, environ_vars, job_args):
    file = Path(input_paths["hyperparameters_s3_uri"])
    config = json.loads(file.read_text()) if file.is_file() else {"objective": "binary:logistic"}
    label = config.pop("label_name", environ_vars.get("LABEL_FIELD", "target"))
    rounds = int(config.pop("num_round", 10))
    features, target = load(input_paths["input_path"], "train", label)
    booster = xgb.train(config, xgb.DMatrix(features, target), rounds)
    booster.save_model(str(Path(output_paths["model_output"]) / "xgboost_model.json"))
    names = Path(output_paths["model_output"]) / "features.json"
    names.write_text(json.dumps({"label": label, "features": list(features.columns)}))
    held_out, truth = load(input_paths["input_path"], "val", label)
    right = ((booster.predict(xgb.DMatrix(held_out)) > 0.5) == truth).mean()
    (Path(output_paths["evaluation_output"]) / "validation.json").write_text(json.dumps({"accuracy": float(right)}))
    print(f"accuracy on val: {right:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", default="training")
    main(INPUT, OUTPUT, dict(os.environ), parser.parse_args())
