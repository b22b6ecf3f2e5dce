"""Counts the labels of the prepared orders."""

import json
from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["prepared"]) / "prepared.csv")
    counts = orders["label"].value_counts()
    (Path(output_paths["counts"]) / "counts.json").write_text(json.dumps({str(k): int(v) for k, v in counts.items()}))
