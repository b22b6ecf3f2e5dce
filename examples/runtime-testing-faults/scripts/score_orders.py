"""Scores the orders with the threshold of the environment, which nobody sets."""

import os
from pathlib import Path

import pandas as pd

if __name__ == "__main__":
    threshold = float(os.environ["SCORE_THRESHOLD"])
    orders = pd.read_csv("/opt/ml/processing/input/orders/orders.csv")
    orders["flagged"] = orders["amount"] > threshold
    orders.to_csv(Path("/opt/ml/processing/output/scored") / "scored.csv", index=False)
