"""Fits a classifier on the amounts."""

from pathlib import Path

import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression


def main(input_paths, output_paths, environ_vars, job_args):
    orders = pd.read_csv(Path(input_paths["formatted"]) / "orders.csv")
    model = LogisticRegression().fit(orders[["amount"]], orders["label"])
    joblib.dump(model, Path(output_paths["model"]) / "model.joblib")
