"""Checks that each table has its label, with a value in each row."""

import json
from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    label = environ_vars["LABEL_FIELD"]
    missing = {}
    for file in sorted(Path(input_paths["data_input"]).rglob("*.csv")):
        table = pd.read_csv(file)
        if label not in table:
            raise ValueError(f"{file.name} has no column '{label}', only {list(table.columns)}")
        missing[file.name] = int(table[label].isna().sum())
    (Path(output_paths["data_output"]) / "validation.json").write_text(json.dumps({"rows_without_label": missing}))
