"""Read the raw part files, refuse what is not fit to train on, and split off the rows that calibration will use.

Reads   /opt/ml/processing/input/DATA/*.csv
Writes  /opt/ml/processing/output/training_data/data.csv
        /opt/ml/processing/output/calibration_data/data.csv
        /opt/ml/processing/output/report/data_report.json
Environment: ID_FIELD, LABEL_FIELD, CALIBRATION_RATIO (share of all rows, default 0.25), SEED (default 42).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

logger = logging.getLogger("data_loading")

INPUT_PATHS = {"DATA": "/opt/ml/processing/input/DATA"}
OUTPUT_PATHS = {
    "training_data": "/opt/ml/processing/output/training_data",
    "calibration_data": "/opt/ml/processing/output/calibration_data",
    "report": "/opt/ml/processing/output/report",
}
MESSAGE_FILE = Path("/opt/ml/output/message")


class DataError(ValueError):
    """The raw data is not fit to train on."""


def read_parts(directory: Path) -> pd.DataFrame:
    """All `*.csv` files below each other, as text: types are the business of preprocessing."""
    files = sorted(directory.glob("*.csv"))
    if not files:
        present = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else "no such directory"
        raise DataError(f"no *.csv file in {directory}: {present}")
    parts = []
    for file in files:
        part = pd.read_csv(file, dtype=str, keep_default_na=False)
        if parts and list(part.columns) != list(parts[0].columns):
            changed = sorted(set(part.columns) ^ set(parts[0].columns)) or "the same columns in another order"
            raise DataError(f"{file.name} has other columns than {files[0].name}: {changed}")
        logger.info("read %s: %d rows, %d columns", file.name, *part.shape)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def check(frame: pd.DataFrame, id_field: str, label_field: str) -> None:
    """Raise DataError with the first fault: missing columns, empty or repeated ids, empty labels, not two classes."""
    for field in (id_field, label_field):
        if field not in frame.columns:
            raise DataError(f"the raw data has no column {field!r}; it has {list(frame.columns)}")
        empty = int((frame[field].str.strip() == "").sum())
        if empty:
            raise DataError(f"{empty} of {len(frame)} rows have an empty {field!r}")
    repeated = frame.loc[frame[id_field].duplicated(), id_field].unique().tolist()
    if repeated:
        raise DataError(f"{len(repeated)} values of {id_field!r} occur more than once, as {repeated[:5]}")
    counts = frame[label_field].value_counts().to_dict()
    if len(counts) != 2 or min(counts.values()) < 10:
        raise DataError(f"{label_field!r} must have two classes of at least 10 rows each, but has {counts}")


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> dict[str, object]:
    id_field = environ_vars.get("ID_FIELD", "id")
    label_field = environ_vars.get("LABEL_FIELD", "label")
    ratio = float(environ_vars.get("CALIBRATION_RATIO", "0.25"))
    if not 0 < ratio < 1:
        raise ValueError(f"CALIBRATION_RATIO must lie between 0 and 1, not {ratio}")
    seed = int(environ_vars.get("SEED", "42"))
    logger.info("job type %s, label %r, id %r, calibration ratio %s", job_args.job_type, label_field, id_field, ratio)

    frame = read_parts(Path(input_paths["DATA"]))
    check(frame, id_field, label_field)
    # Ordered by id first: the split must not depend on how the rows were spread over part files.
    frame = frame.sort_values(id_field, ignore_index=True)
    training, calibration = train_test_split(
        frame, test_size=ratio, random_state=seed, shuffle=True, stratify=frame[label_field]
    )

    report: dict[str, object] = {
        "rows": len(frame),
        "columns": list(frame.columns),
        "labels": {str(label): int(count) for label, count in frame[label_field].value_counts().items()},
        "empty_cells": int((frame == "").to_numpy().sum()),
    }
    for name, rows in (("training_data", training), ("calibration_data", calibration)):
        directory = Path(output_paths[name])
        directory.mkdir(parents=True, exist_ok=True)
        rows.sort_values(id_field).to_csv(directory / "data.csv", index=False)
        report[f"{name}_rows"] = len(rows)
        logger.info("%s: %d rows", name, len(rows))
    directory = Path(output_paths["report"])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "data_report.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def leave_message(text: str) -> None:
    """What SageMaker shows as ExitMessage: 1 KB of valid UTF-8, whether the job passes or fails."""
    MESSAGE_FILE.parent.mkdir(parents=True, exist_ok=True)
    MESSAGE_FILE.write_text(text.encode()[:1024].decode(errors="ignore"), encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", choices=["training", "validation", "testing", "calibration"], required=True)
    try:
        result = main(INPUT_PATHS, OUTPUT_PATHS, dict(os.environ), parser.parse_args())
    except Exception as error:
        leave_message(f"{type(error).__name__}: {error}")
        raise
    leave_message(
        f"{result['rows']} rows: {result['training_data_rows']} to train, "
        f"{result['calibration_data_rows']} to calibrate"
    )
