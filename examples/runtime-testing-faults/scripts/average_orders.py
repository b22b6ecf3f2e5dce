"""Averages the filtered orders."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["filtered"]) / "orders.csv")
    (Path(output_paths["average"]) / "average.txt").write_text(str(orders["amount"].mean()))
