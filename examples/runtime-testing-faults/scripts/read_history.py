"""Reads a parquet file of which only the first half was downloaded."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    history = pd.read_parquet(Path(input_paths["history"]) / "history.parquet")
    history.to_csv(Path(output_paths["table"]) / "history.csv", index=False)
