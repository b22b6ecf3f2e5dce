"""Reports on one part of the orders; which one, nobody said."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["orders_part"]) / "orders.csv")
    (Path(output_paths["report"]) / "report.txt").write_text(f"{len(orders)} orders")
