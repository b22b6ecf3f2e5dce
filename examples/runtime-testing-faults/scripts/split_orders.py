"""Splits the orders in two."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["orders"]) / "orders.csv")
    half = len(orders) // 2
    orders[:half].to_csv(Path(output_paths["orders_part1"]) / "orders.csv", index=False)
    orders[half:].to_csv(Path(output_paths["orders_part2"]) / "orders.csv", index=False)
