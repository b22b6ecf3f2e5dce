"""Describe each raw part file: rows, columns, empty cells and the range of every measurement.

Made for several instances: with `distribution: ShardedByS3Key` each of them gets its share of the part files, and
each writes files of its own, so that nothing of one overwrites another's.

Reads   /opt/ml/processing/input/DATA/*.csv
        /opt/ml/config/resourceconfig.json
Writes  /opt/ml/processing/output/profile/<part>.json
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pandas as pd

logger = logging.getLogger("data_profile")

INPUT_PATHS = {"DATA": "/opt/ml/processing/input/DATA"}
OUTPUT_PATHS = {"profile": "/opt/ml/processing/output/profile"}
RESOURCES = Path("/opt/ml/config/resourceconfig.json")


def profile(file: Path) -> dict[str, object]:
    """What a person wants to know of a part file before it is used."""
    frame = pd.read_csv(file)
    numbers = frame.select_dtypes("number")
    return {
        "rows": len(frame),
        "columns": list(frame.columns),
        "empty_cells": int(frame.isna().to_numpy().sum()),
        "ranges": {name: [float(numbers[name].min()), float(numbers[name].max())] for name in numbers},
    }


def main(input_paths: dict[str, str], output_paths: dict[str, str], host: str) -> list[str]:
    """Profile the part files that this instance has; returns their names."""
    target = Path(output_paths["profile"])
    target.mkdir(parents=True, exist_ok=True)
    files = sorted(Path(input_paths["DATA"]).glob("*.csv"))
    for file in files:
        found = {"part": file.name, "host": host, **profile(file)}
        (target / f"{file.stem}.json").write_text(json.dumps(found, indent=2) + "\n")
        logger.info("%s: %d rows", file.name, found["rows"])
    return [file.name for file in files]


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    resources = json.loads(RESOURCES.read_text())
    done = main(INPUT_PATHS, OUTPUT_PATHS, resources["current_host"])
    logger.info("%s of %s has profiled %s", resources["current_host"], resources["hosts"], done)
