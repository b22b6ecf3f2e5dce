"""Cleans the orders. The label column got a new name last week: `labels`."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["orders"]) / "orders.csv")
    orders = orders.rename(columns={"label": "labels"})
    orders.to_csv(Path(output_paths["prepared"]) / "prepared.csv", index=False)
