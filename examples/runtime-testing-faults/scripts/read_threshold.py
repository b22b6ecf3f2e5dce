"""Takes its threshold from the environment, and nobody sets it."""

import os
from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    threshold = float(os.environ["SCORE_THRESHOLD"])
    orders = pd.read_csv(Path(input_paths["orders"]) / "orders.csv")
    orders[orders["amount"] > threshold].to_csv(Path(output_paths["large"]) / "orders.csv", index=False)
