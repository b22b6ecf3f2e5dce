"""Writes the cities in the encoding of an old system."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["orders"]) / "orders.csv")
    orders[["city"]].to_csv(Path(output_paths["cities"]) / "cities.csv", index=False, encoding="latin-1")
