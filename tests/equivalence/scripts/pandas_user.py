"""Uses what was imported early, and looks at nothing but its results."""

import json
import logging
import warnings

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import linear_model, metrics
from sklearn.ensemble import RandomForestClassifier
import matplotlib
import xgboost as xgb
import helper

rng = np.random.default_rng(1)
frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
frame["label"] = (frame.a + frame.b > 0).astype(int)
print(frame.describe().to_csv())
model = RandomForestClassifier(n_estimators=5, random_state=0).fit(frame[["a", "b"]], frame.label)
print(metrics.roc_auc_score(frame.label, model.predict_proba(frame[["a", "b"]])[:, 1]))
print(linear_model.LinearRegression().fit(frame[["a"]], frame.b).coef_, stats.skew(frame.a))
booster = xgb.train({"seed": 1, "nthread": 1}, xgb.DMatrix(frame[["a", "b"]], frame.label), 3)
print(booster.predict(xgb.DMatrix(frame[["a", "b"]]))[:5])
print(matplotlib.get_backend(), pd.get_option("display.max_rows"), np.get_printoptions()["precision"], helper.name())
print(np.geterr(), [str(each[0]) for each in warnings.filters], logging.getLogger().handlers)
warnings.warn("once, of the script's own line", stacklevel=1)
np.float64(1) / np.float64(0)
frame.to_parquet("/opt/ml/processing/output/out/f.parquet")
frame.to_csv("/opt/ml/processing/output/out/f.csv")
np.save("/opt/ml/processing/output/out/f.npy", frame.to_numpy())
with open("/opt/ml/processing/output/out/f.json", "w") as handle:
    json.dump({"rows": len(frame)}, handle)
