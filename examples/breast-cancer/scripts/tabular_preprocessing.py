"""Turn checked raw rows into model input: numeric features, a 0/1 label, and for training a split in three.

Reads   /opt/ml/processing/input/DATA/*.csv
Writes  /opt/ml/processing/output/<split>/<split>_processed_data.csv, where <split> is `train`, `validation` and `test`
        with --job_type training, and else the job type itself. With --job_type training also
        /opt/ml/processing/output/features/test_features.csv: the test rows as a served model takes them, in the same
        order, without header, id and label.
Environment: ID_FIELD, LABEL_FIELD, POSITIVE_LABEL (the raw value that becomes 1), TRAIN_RATIO (default 0.7),
TEST_VAL_RATIO (test's share of what train leaves, default 0.5), SEED (default 42).

Nothing here is learnt from the data, so each job type can be run on its own rows and still gives the same features.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

logger = logging.getLogger("tabular_preprocessing")

INPUT_PATHS = {"DATA": "/opt/ml/processing/input/DATA"}
OUTPUT_PATHS = {"processed_data": "/opt/ml/processing/output"}
MESSAGE_FILE = Path("/opt/ml/output/message")


class DataError(ValueError):
    """The rows cannot be turned into model input."""


def read_rows(directory: Path) -> pd.DataFrame:
    """All `*.csv` files below each other, as text: ids keep their leading zeros."""
    files = sorted(directory.glob("*.csv"))
    if not files:
        raise DataError(f"no *.csv file in {directory}")
    return pd.concat([pd.read_csv(file, dtype=str, keep_default_na=False) for file in files], ignore_index=True)


def column_name(raw: str) -> str:
    """`mean radius` -> `mean_radius`: XGBoost refuses feature names with `[`, `]` or `<`."""
    return re.sub(r"[^0-9a-z]+", "_", raw.strip().lower()).strip("_")


def rename(frame: pd.DataFrame) -> pd.DataFrame:
    """Clean names. Raises DataError when two columns would become one."""
    names = {raw: column_name(raw) for raw in frame.columns}
    by_name: dict[str, list[str]] = {}
    for raw, name in names.items():
        by_name.setdefault(name, []).append(raw)
    clashes = {name: raws for name, raws in by_name.items() if len(raws) > 1}
    if clashes:
        raise DataError(f"columns that would get the same name: {clashes}")
    return frame.rename(columns=names)


def numeric(column: pd.Series) -> pd.Series:
    """Floats; an empty cell becomes NaN, which XGBoost reads as missing. Raises DataError for any other text."""
    empty = column.str.strip() == ""
    values = pd.to_numeric(column.mask(empty), errors="coerce").astype(float)
    unread = column[values.isna() & ~empty]
    if not unread.empty:
        raise DataError(
            f"column {column.name!r}: {len(unread)} cells are not numbers, as {unread.unique()[:3].tolist()}"
        )
    return values


def preprocess(frame: pd.DataFrame, id_field: str, label_field: str, positive: str) -> pd.DataFrame:
    """Columns: the id, the label as 0 or 1, then the features in the order of the raw file."""
    frame = rename(frame)
    for field in (id_field, label_field):
        if field not in frame.columns:
            raise DataError(f"the data has no column {field!r}; it has {list(frame.columns)}")
    labels = sorted(frame[label_field].unique())
    if positive not in labels:
        raise DataError(f"no row has the positive label {positive!r}; {label_field!r} holds {labels[:5]}")
    columns = {id_field: frame[id_field], label_field: (frame[label_field] == positive).astype(int)}
    for name in frame.columns.drop([id_field, label_field]):
        columns[name] = numeric(frame[name])
    return pd.DataFrame(columns)


def split(frame: pd.DataFrame, label_field: str, train: float, test_val: float, seed: int) -> dict[str, pd.DataFrame]:
    """Train, validation and test, each with the same share of positives."""
    for name, ratio in (("TRAIN_RATIO", train), ("TEST_VAL_RATIO", test_val)):
        if not 0 < ratio < 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {ratio}")
    train_rows, rest = train_test_split(frame, train_size=train, random_state=seed, stratify=frame[label_field])
    validation, test = train_test_split(rest, test_size=test_val, random_state=seed, stratify=rest[label_field])
    return {"train": train_rows, "validation": validation, "test": test}


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> dict[str, int]:
    id_field = column_name(environ_vars.get("ID_FIELD", "id"))
    label_field = column_name(environ_vars.get("LABEL_FIELD", "label"))
    positive = environ_vars.get("POSITIVE_LABEL", "1")
    seed = int(environ_vars.get("SEED", "42"))
    logger.info("job type %s, label %r (%r is positive), id %r", job_args.job_type, label_field, positive, id_field)

    frame = preprocess(read_rows(Path(input_paths["DATA"])), id_field, label_field, positive)
    if job_args.job_type == "training":
        train_ratio = float(environ_vars.get("TRAIN_RATIO", "0.7"))
        test_val_ratio = float(environ_vars.get("TEST_VAL_RATIO", "0.5"))
        splits = split(frame, label_field, train_ratio, test_val_ratio, seed)
    else:
        splits = {job_args.job_type: frame}

    for name, rows in splits.items():
        directory = Path(output_paths["processed_data"]) / name
        directory.mkdir(parents=True, exist_ok=True)
        rows.sort_values(id_field).to_csv(directory / f"{name}_processed_data.csv", index=False)
        logger.info("%s: %d rows, %d positive", name, len(rows), int(rows[label_field].sum()))
    if "test" in splits:
        directory = Path(output_paths["processed_data"]) / "features"
        directory.mkdir(parents=True, exist_ok=True)
        features = splits["test"].sort_values(id_field).drop(columns=[id_field, label_field])
        features.to_csv(directory / "test_features.csv", index=False, header=False)
    return {name: len(rows) for name, rows in splits.items()}


def leave_message(text: str) -> None:
    """What SageMaker shows as ExitMessage: 1 KB of valid UTF-8, whether the job passes or fails."""
    MESSAGE_FILE.parent.mkdir(parents=True, exist_ok=True)
    MESSAGE_FILE.write_text(text.encode()[:1024].decode(errors="ignore"), encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", choices=["training", "validation", "testing", "calibration"], required=True)
    try:
        rows_by_split = main(INPUT_PATHS, OUTPUT_PATHS, dict(os.environ), parser.parse_args())
    except Exception as error:
        leave_message(f"{type(error).__name__}: {error}")
        raise
    leave_message(", ".join(f"{name} {rows} rows" for name, rows in rows_by_split.items()))
