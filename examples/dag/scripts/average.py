"""Average the readings of each station.

Reads   /opt/ml/processing/input/clean_data/readings.csv
Writes  /opt/ml/processing/output/averages/averages.json
"""

import argparse
import csv
import json
import os
from collections import defaultdict
from pathlib import Path
from statistics import fmean


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> dict[str, float]:
    field = environ_vars["FIELD"]
    readings = defaultdict(list)
    with (Path(input_paths["clean_data"]) / "readings.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            readings[row["station"]].append(float(row[field]))
    averages = {station: round(fmean(values), 3) for station, values in sorted(readings.items())}
    (Path(output_paths["averages"]) / "averages.json").write_text(json.dumps(averages, indent=2) + "\n")
    print(f"{job_args.job_type}: {averages}")
    return averages


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", required=True)
    main(
        {"clean_data": "/opt/ml/processing/input/clean_data"},
        {"averages": "/opt/ml/processing/output/averages"},
        dict(os.environ),
        parser.parse_args(),
    )
