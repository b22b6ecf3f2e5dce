"""Counts the values of the label: a script that has only `main`, and is called."""

import csv
import json
from collections import Counter
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    counts = Counter()
    for file in sorted(Path(input_paths["data_input"]).rglob("*.csv")):
        with file.open(newline="") as table:
            counts.update(row[environ_vars["LABEL_FIELD"]] for row in csv.DictReader(table))
    report = {"job_type": job_args.job_type, "labels": dict(sorted(counts.items()))}
    (Path(output_paths["data_output"]) / "report.json").write_text(json.dumps(report, indent=2))
    print(report)
