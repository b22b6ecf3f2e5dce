"""Probabilities of the positive class: how good they are, and how to mend them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss


def sigmoid(margin: np.ndarray) -> np.ndarray:
    """Probability from log-odds, both of shape (n,)."""
    return 1.0 / (1.0 + np.exp(-margin))


@dataclass(frozen=True)
class PlattCalibrator:
    """probability = sigmoid(slope * margin + intercept) (Platt 1999)."""

    slope: float
    intercept: float

    @classmethod
    def fit(cls, margin: np.ndarray, label: np.ndarray) -> PlattCalibrator:
        """`margin` in log-odds and `label` in {0, 1}, both of shape (n,). The slight L2 penalty keeps the slope finite
        when the margin separates the classes."""
        regression = LogisticRegression(C=10.0, solver="lbfgs").fit(margin.reshape(-1, 1), label)
        return cls(float(regression.coef_[0, 0]), float(regression.intercept_[0]))

    def apply(self, margin: np.ndarray) -> np.ndarray:
        return sigmoid(self.slope * margin + self.intercept)


def expected_calibration_error(label: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean distance of predicted from observed rate over `bins` bins of equal width, weighted by rows (Naeini 2015)."""
    which = np.minimum((probability * bins).astype(int), bins - 1)
    distance = 0.0
    for index in np.unique(which):
        rows = which == index
        distance += rows.mean() * abs(probability[rows].mean() - label[rows].mean())
    return float(distance)


def quality(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """The three figures by which a calibration is judged; lower is better for each."""
    return {
        "expected_calibration_error": expected_calibration_error(label, probability),
        "log_loss": float(log_loss(label, probability, labels=[0, 1])),
        "brier_score": float(brier_score_loss(label, probability)),
    }
