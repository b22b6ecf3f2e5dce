"""Scores the orders with XGBoost, which the default image does not have."""

from pathlib import Path

import pandas as pd
import xgboost as xgb


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["orders"]) / "orders.csv")
    booster = xgb.train({}, xgb.DMatrix(orders[["amount"]], orders["label"]), 5)
    booster.save_model(Path(output_paths["model"]) / "model.json")
