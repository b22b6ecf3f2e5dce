"""Write the raw data of this example: scikit-learn's breast cancer data set, as a data warehouse would hand it over.

    python examples/breast-cancer/make_data.py [--output DIRECTORY]

Needs pandas and scikit-learn on the host and no network: the data set comes inside the scikit-learn package (569 rows,
30 measurements, 357 benign and 212 malignant; Wolberg, Street and Mangasarian, UCI machine learning repository, 1995).
Three part files, byte for byte the same each time. `patient_id` is text with leading zeros, so a step that
reads it as a number is found out.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

PARTS = 3
ID_FIELD = "patient_id"
LABEL_FIELD = "target"


def write_raw_data(output: Path) -> list[Path]:
    """Write `part-0000N.csv` into `output`, which is made when missing; returns the files in order."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    frame = data.data.copy()
    frame.insert(0, ID_FIELD, [f"{number:06d}" for number in range(1, len(frame) + 1)])
    frame[LABEL_FIELD] = data.target.map(dict(enumerate(data.target_names)))

    output.mkdir(parents=True, exist_ok=True)
    rows_per_part = -(-len(frame) // PARTS)
    files = []
    for part in range(PARTS):
        rows = frame.iloc[part * rows_per_part : (part + 1) * rows_per_part]
        file = output / f"part-{part:05d}.csv"
        # A reader never sees half a file, also when two runs make the data at once.
        partial = output / f".{file.name}.{os.getpid()}"
        rows.to_csv(partial, index=False, lineterminator="\n")
        partial.replace(file)
        files.append(file)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the raw data of the breast cancer example.")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent / "data" / "raw")
    files = write_raw_data(parser.parse_args().output)
    print(f"wrote {len(files)} files to {files[0].parent}")


if __name__ == "__main__":
    main()
