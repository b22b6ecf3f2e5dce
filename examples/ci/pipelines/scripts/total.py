"""Add up what each customer ordered."""

import csv
import json
from collections import Counter

INPUT = "/opt/ml/processing/input/orders/orders.csv"
OUTPUT = "/opt/ml/processing/output/totals/totals.json"


def main():
    totals = Counter()
    with open(INPUT, newline="") as file:
        for row in csv.DictReader(file):
            totals[row["customer"]] += int(row["amount"])
    with open(OUTPUT, "w") as file:
        json.dump(totals, file)
    print(dict(totals))


if __name__ == "__main__":
    main()
