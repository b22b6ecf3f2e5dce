"""Merges two tables of which none is there."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    tables = [pd.read_csv(file) for name in ("east", "west") for file in Path(input_paths[name]).glob("*.csv")]
    pd.concat(tables).to_csv(Path(output_paths["merged"]) / "merged.csv", index=False)
