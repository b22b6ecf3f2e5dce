"""Takes the first rows. Its option was called --max_rows when the contract was written."""

import argparse
from pathlib import Path

import pandas as pd

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--row_limit", type=int, default=100)
    arguments = parser.parse_args()
    orders = pd.read_csv("/opt/ml/processing/input/orders/orders.csv", nrows=arguments.row_limit)
    orders.to_csv(Path("/opt/ml/processing/output/sampled") / "orders.csv", index=False)
