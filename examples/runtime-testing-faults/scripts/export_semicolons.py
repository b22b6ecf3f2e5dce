"""Exports the orders as a spreadsheet in Germany would: with semicolons."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["orders"]) / "orders.csv")
    orders.to_csv(Path(output_paths["exported"]) / "orders.csv", index=False, sep=";")
