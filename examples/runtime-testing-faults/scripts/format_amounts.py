"""Writes the amounts as people like to read them: as text, with the currency."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["orders"]) / "orders.csv")
    orders["amount"] = orders["amount"].map("{:.2f} EUR".format)
    orders.to_csv(Path(output_paths["formatted"]) / "orders.csv", index=False)
