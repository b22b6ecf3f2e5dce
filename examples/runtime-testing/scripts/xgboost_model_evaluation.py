"""Scores the test part of the processed data with the trained model."""

import argparse
import json
import os
import tarfile
import tempfile
from pathlib import Path

import pandas as pd
import xgboost as xgb

INPUT = {"model_input": "/opt/ml/processing/input/model", "processed_data": "/opt/ml/processing/input/eval_data"}
OUTPUT = {"eval_output": "/opt/ml/processing/output/eval", "metrics_output": "/opt/ml/processing/output/metrics"}


def main(input_paths, output_paths, environ_vars, job_args):
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(Path(input_paths["model_input"]) / "model.tar.gz") as archive:
            archive.extractall(folder)
        booster = xgb.Booster(model_file=str(Path(folder) / "xgboost_model.json"))
        features = json.loads((Path(folder) / "features.json").read_text())["features"]
    files = sorted((Path(input_paths["processed_data"]) / "test").glob("*.csv"))
    table = pd.concat([pd.read_csv(file) for file in files])
    table["probability"] = booster.predict(xgb.DMatrix(table[features]))
    label, identity = environ_vars["LABEL_FIELD"], environ_vars.get("ID_FIELD", "id")
    out = table[[identity, label, "probability"]]
    out.to_csv(Path(output_paths["eval_output"]) / "predictions.csv", index=False)
    right = float(((out["probability"] > 0.5) == out[label]).mean())
    (Path(output_paths["metrics_output"]) / "metrics.json").write_text(
        json.dumps({"accuracy": right, "rows": len(out)})
    )
    print(f"accuracy on test: {right:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", default="evaluation")
    variables = {name: os.environ[name] for name in ("ID_FIELD", "LABEL_FIELD") if name in os.environ}
    main(INPUT, OUTPUT, variables, parser.parse_args())
