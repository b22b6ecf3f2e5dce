"""Write /opt/ml/processing/output/labelled/rows.csv: transactions, labelled by amount."""

import csv
from pathlib import Path

AMOUNTS = (12.5, 980.0, 33.2, 2400.0, 7.9, 61.0)

file = Path("/opt/ml/processing/output/labelled/rows.csv")
with file.open("w", newline="", encoding="utf-8") as stream:
    writer = csv.writer(stream)
    writer.writerow(["transaction_id", "amount", "labels"])
    writer.writerows([f"{number:04d}", amount, int(amount > 500)] for number, amount in enumerate(AMOUNTS, 1))
print(f"wrote {len(AMOUNTS)} rows to {file.name}")
