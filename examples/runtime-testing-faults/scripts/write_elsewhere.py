"""Writes its result where SageMaker throws it away."""

import os

import pandas as pd

if __name__ == "__main__":
    orders = pd.read_csv("/opt/ml/processing/input/orders/orders.csv")
    os.makedirs("/opt/ml/processing/results", exist_ok=True)
    orders.to_csv("/opt/ml/processing/results/orders.csv", index=False)
