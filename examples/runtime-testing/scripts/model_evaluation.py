"""Counts the values of the label, and lists the files: a script that has only `main`, and is called."""

import csv
import json
from collections import Counter
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    counts = Counter()
    folder = Path(input_paths["data_input"])
    for file in sorted(folder.rglob("*.csv")):
        with file.open(newline="") as table:
            counts.update(row[environ_vars["LABEL_FIELD"]] for row in csv.DictReader(table))
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    report = {"job_type": job_args.job_type, "labels": dict(sorted(counts.items())), "files": files}
    (Path(output_paths["data_output"]) / "report.json").write_text(json.dumps(report, indent=2))
    print(report)
