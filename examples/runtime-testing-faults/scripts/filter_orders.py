"""Keeps the orders of a year that has none, and then writes nothing but the file."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["orders"]) / "orders.csv")
    kept = orders[orders["year"] == 1999]
    text = kept.to_csv(index=False) if len(kept) else ""
    (Path(output_paths["filtered"]) / "orders.csv").write_text(text)
