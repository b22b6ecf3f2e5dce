"""Splits a table into train, validation and test, and drops rows without a label."""

import argparse
import os
from pathlib import Path

import pandas as pd

INPUT = {"DATA": "/opt/ml/processing/input/data"}
OUTPUT = {"processed_data": "/opt/ml/processing/output"}
WHOLE = ("validation", "testing", "calibration")
"""Job types whose table is not split."""


def read(file, size):
    return [pd.read_csv(file)] if size is None else pd.read_csv(file, chunksize=size)


def main(input_paths, output_paths, environ_vars, job_args):
    label = environ_vars["LABEL_FIELD"]
    ratio = float(environ_vars.get("TRAIN_RATIO", "0.7"))
    rest = float(environ_vars.get("TEST_VAL_RATIO", "0.5"))
    files = sorted(Path(input_paths["DATA"]).glob("*.csv"))
    size = getattr(job_args, "batch_size", None)
    table = pd.concat([part for file in files for part in read(file, size)]).dropna(subset=[label])
    if job_args.job_type in WHOLE:
        parts = {job_args.job_type: table}
    else:
        table = table.sample(frac=1, random_state=0)
        first = int(len(table) * ratio)
        second = first + int((len(table) - first) * rest)
        parts = {"train": table[:first], "val": table[first:second], "test": table[second:]}
    for name, part in parts.items():
        folder = Path(output_paths["processed_data"]) / name
        folder.mkdir(parents=True, exist_ok=True)
        part.to_csv(folder / f"{name}_processed_data.csv", index=False)
        print(f"{name}: {len(part)} rows")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", choices=["training", "preprocessing", *WHOLE], required=True)
    parser.add_argument("--batch_size", type=int, help="rows to read at once")
    variables = {
        name: os.environ[name] for name in ("LABEL_FIELD", "TRAIN_RATIO", "TEST_VAL_RATIO") if name in os.environ
    }
    main(INPUT, OUTPUT, variables, parser.parse_args())
