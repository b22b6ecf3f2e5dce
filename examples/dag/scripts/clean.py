"""Drop the rows without a reading.

Reads   /opt/ml/processing/input/DATA/readings.csv
Writes  /opt/ml/processing/output/clean_data/readings.csv
Environment: FIELD, the column that must not be empty. Arguments: --job_type.
"""

import argparse
import csv
import os
from pathlib import Path


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> int:
    field = environ_vars["FIELD"]
    with (Path(input_paths["DATA"]) / "readings.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    kept = [row for row in rows if row[field].strip()]
    if not kept:
        raise ValueError(f"none of {len(rows)} rows has a {field!r}")
    with (Path(output_paths["clean_data"]) / "readings.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(kept[0]))
        writer.writeheader()
        writer.writerows(kept)
    print(f"{job_args.job_type}: kept {len(kept)} of {len(rows)} rows")
    return len(kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", required=True)
    main(
        {"DATA": "/opt/ml/processing/input/DATA"},
        {"clean_data": "/opt/ml/processing/output/clean_data"},
        dict(os.environ),
        parser.parse_args(),
    )
