"""Count the rows of each label in /opt/ml/processing/input/labelled/rows.csv. Environment: LABEL_FIELD."""

import argparse
import csv
import json
import os
from collections import Counter
from pathlib import Path


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> None:
    print(f"job type {job_args.job_type}")
    field = environ_vars["LABEL_FIELD"]
    with (Path(input_paths["labelled"]) / "rows.csv").open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if field not in (rows.fieldnames or ()):
            raise KeyError(f"rows.csv has no column {field!r}; its columns are {rows.fieldnames}")
        counts = Counter(row[field] for row in rows)
    (Path(output_paths["counts"]) / "counts.json").write_text(json.dumps(counts) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", default="training")
    try:
        main(
            {"labelled": "/opt/ml/processing/input/labelled"},
            {"counts": "/opt/ml/processing/output/counts"},
            dict(os.environ),
            parser.parse_args(),
        )
    except KeyError as error:
        message = Path("/opt/ml/output/message")
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text(str(error.args[0])[:500])
        raise
