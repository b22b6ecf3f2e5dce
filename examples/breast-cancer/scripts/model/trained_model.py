"""The trained booster with the columns that it was trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb
from model_archive import unpack


@dataclass(frozen=True)
class TrainedModel:
    booster: xgb.Booster
    features: list[str]

    @classmethod
    def from_input(cls, directory: Path) -> TrainedModel:
        """From an input directory that holds `model.tar.gz`. Raises FileNotFoundError for an incomplete archive."""
        unpack(directory)
        for name in ("xgboost_model.json", "features.json"):
            if not (directory / name).is_file():
                raise FileNotFoundError(f"the model archive in {directory} holds no {name}")
        booster = xgb.Booster({"nthread": 1}, model_file=directory / "xgboost_model.json")
        return cls(booster, json.loads((directory / "features.json").read_text()))

    def margin(self, rows: pd.DataFrame) -> np.ndarray:
        """Log-odds of class 1 per row, shape (n,), float64. Raises ValueError when a feature's column is missing."""
        missing = [name for name in self.features if name not in rows.columns]
        if missing:
            raise ValueError(
                f"the data lacks {len(missing)} of the model's {len(self.features)} features: {missing[:5]}"
            )
        matrix = xgb.DMatrix(rows[self.features], nthread=1)
        return self.booster.predict(matrix, output_margin=True).astype(float)


def read_labelled(directory: Path, id_field: str, label_field: str) -> pd.DataFrame:
    """All `*.csv` files below each other, ids as text. Raises when there are none or a column is missing."""
    files = sorted(directory.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"no *.csv file in {directory}")
    rows = pd.concat([pd.read_csv(file, dtype={id_field: str}) for file in files], ignore_index=True)
    for field in (id_field, label_field):
        if field not in rows.columns:
            raise ValueError(f"the data in {directory} has no column {field!r}; it has {list(rows.columns)}")
    return rows
