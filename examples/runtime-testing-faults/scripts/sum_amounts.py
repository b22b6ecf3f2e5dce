"""Sums the amounts of an export."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["exported"]) / "orders.csv")
    (Path(output_paths["total"]) / "total.txt").write_text(str(orders["amount"].sum()))
