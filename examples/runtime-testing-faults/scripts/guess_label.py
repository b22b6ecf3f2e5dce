"""Needs the name of the label on its command line; its spec gives none."""

import argparse

import pandas as pd

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--label", required=True)
    label = parser.parse_args().label
    orders = pd.read_csv("/opt/ml/processing/input/orders/orders.csv")
    orders[[label]].to_csv("/opt/ml/processing/output/labels/labels.csv", index=False)
