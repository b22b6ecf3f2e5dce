"""The scripts of the breast cancer example, called with temporary paths: their arithmetic and their refusals.

Only what needs no xgboost runs here; `test_breast_cancer.py` runs all of them in containers.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import io
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BREAST_CANCER = EXAMPLES / "breast-cancer"
ENV = {"ID_FIELD": "patient_id", "LABEL_FIELD": "target", "POSITIVE_LABEL": "malignant"}


def job(job_type: str) -> argparse.Namespace:
    return argparse.Namespace(job_type=job_type)


@pytest.fixture
def load() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the example by name, and forget it afterwards."""
    before = set(sys.modules)
    folders = [str(BREAST_CANCER), str(BREAST_CANCER / "scripts"), str(BREAST_CANCER / "scripts" / "model")]
    sys.path[:0] = folders
    yield importlib.import_module
    for folder in folders:
        sys.path.remove(folder)
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(BREAST_CANCER):
            del sys.modules[name]


@pytest.fixture
def raw(load: Callable[[str], ModuleType], tmp_path: Path) -> Path:
    load("make_data").write_raw_data(tmp_path / "raw")
    return tmp_path / "raw"


@pytest.fixture
def load_data(load: Callable[[str], ModuleType], tmp_path: Path) -> Callable[..., Path]:
    """Run DataLoading on a directory; returns the directory that holds its outputs."""

    def run(source: Path, name: str = "loaded", **env: str) -> Path:
        outputs = {key: str(tmp_path / name / key) for key in ("training_data", "calibration_data", "report")}
        load("data_loading").main({"DATA": str(source)}, outputs, {**ENV, **env}, job("training"))
        return tmp_path / name

    return run


@pytest.fixture
def preprocess(load: Callable[[str], ModuleType], tmp_path: Path) -> Callable[..., Path]:
    def run(source: Path, job_type: str = "training", **env: str) -> Path:
        output = tmp_path / "processed"
        script = load("tabular_preprocessing")
        script.main({"DATA": str(source)}, {"processed_data": str(output)}, {**ENV, **env}, job(job_type))
        return output

    return run


def write_csv(directory: Path, text: str, name: str = "data.csv") -> Path:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(text)
    return directory


def rows(number: int = 40, **changes: str) -> str:
    """A small valid raw file; `changes` replaces text in it."""
    lines = ["patient_id,mean radius,target"]
    lines += [f"{index:03d},{index / 10},{'malignant' if index % 2 else 'benign'}" for index in range(number)]
    text = "\n".join(lines) + "\n"
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    return text


NO_PYTHON = {"unfinished_edit.py"}
"""A seeded fault."""


@pytest.mark.parametrize(
    "script", sorted(path for path in EXAMPLES.rglob("*.py") if path.name not in NO_PYTHON), ids=lambda path: path.name
)
def test_runs_on_the_oldest_python_of_the_images(script: Path) -> None:
    ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 10))


# --- data ---------------------------------------------------------------------------------------------------------


def test_raw_data_is_the_same_each_time(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    first, second = (load("make_data").write_raw_data(tmp_path / name) for name in ("a", "b"))
    assert [file.name for file in first] == ["part-00000.csv", "part-00001.csv", "part-00002.csv"]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == [file.name for file in first]


def test_raw_data_is_the_real_data_set(raw: Path) -> None:
    frame = pd.concat([pd.read_csv(file, dtype={"patient_id": str}) for file in sorted(raw.iterdir())])
    assert frame.shape == (569, 32)
    assert frame["target"].value_counts().to_dict() == {"benign": 357, "malignant": 212}
    assert frame["patient_id"].iloc[0] == "000001"
    # First row of the published file: id 842302, M, 17.99, 10.38, ...
    assert frame[["mean radius", "mean texture"]].iloc[0].tolist() == [17.99, 10.38]


def test_raw_data_is_not_in_the_repository() -> None:
    assert "examples/*/data/raw/" in (EXAMPLES.parent / ".gitignore").read_text().split()


# --- loading ------------------------------------------------------------------------------------------------------


def test_loading_splits_without_loss_or_overlap(raw: Path, load_data: Callable[..., Path]) -> None:
    loaded = load_data(raw)
    training = pd.read_csv(loaded / "training_data" / "data.csv", dtype=str)
    calibration = pd.read_csv(loaded / "calibration_data" / "data.csv", dtype=str)
    assert (len(training), len(calibration)) == (426, 143)
    assert set(training["patient_id"]).isdisjoint(calibration["patient_id"])
    assert len(set(training["patient_id"]) | set(calibration["patient_id"])) == 569
    shares = [(frame["target"] == "malignant").mean() for frame in (training, calibration)]
    assert shares == pytest.approx([212 / 569, 212 / 569], abs=0.005)
    report = json.loads((loaded / "report" / "data_report.json").read_text())
    assert report["rows"] == 569
    assert report["labels"] == {"benign": 357, "malignant": 212}


def test_loading_does_not_depend_on_the_part_files(raw: Path, load_data: Callable[..., Path], tmp_path: Path) -> None:
    frame = pd.concat([pd.read_csv(file, dtype=str) for file in sorted(raw.iterdir())])
    (tmp_path / "one").mkdir()
    frame.iloc[::-1].to_csv(tmp_path / "one" / "all.csv", index=False)
    several, one = load_data(raw, "several"), load_data(tmp_path / "one", "single")
    for name in ("training_data", "calibration_data"):
        assert (several / name / "data.csv").read_bytes() == (one / name / "data.csv").read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows(target="labels"), r"no column 'target'; it has \['patient_id', 'mean radius', 'labels'\]"),
        (rows(patient_id="id"), "no column 'patient_id'"),
        (rows(**{"\n002,": "\n001,"}), r"1 values of 'patient_id' occur more than once, as \['001'\]"),
        (rows(**{"\n002,": "\n,"}), "1 of 40 rows have an empty 'patient_id'"),
        (rows(**{"0.2,benign": "0.2,"}), "1 of 40 rows have an empty 'target'"),
        (rows(**{"0.2,benign": "0.2,unsure"}), "two classes .* 'unsure': 1"),
        (rows(12), "at least 10 rows each"),
    ],
)
def test_loading_refuses(text: str, message: str, load_data: Callable[..., Path], tmp_path: Path) -> None:
    source = write_csv(tmp_path / "bad", text)
    with pytest.raises(ValueError, match=message):
        load_data(source)
    assert not (tmp_path / "loaded" / "training_data").exists()


def test_loading_refuses_parts_that_differ(load_data: Callable[..., Path], tmp_path: Path) -> None:
    write_csv(tmp_path / "bad", rows(), "a.csv")
    write_csv(tmp_path / "bad", rows(target="labels"), "b.csv")
    with pytest.raises(ValueError, match=r"b\.csv has other columns than a\.csv: \['labels', 'target'\]"):
        load_data(tmp_path / "bad")


def test_loading_names_what_lies_there_instead(load_data: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no \*\.csv file in .*data\.tsv"):
        load_data(write_csv(tmp_path / "bad", rows(), "data.tsv"))


@pytest.mark.parametrize("ratio", ["0", "1", "-0.2", "nan"])
def test_loading_refuses_a_ratio_outside_0_and_1(ratio: str, raw: Path, load_data: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="CALIBRATION_RATIO must lie between 0 and 1"):
        load_data(raw, CALIBRATION_RATIO=ratio)


# --- preprocessing ------------------------------------------------------------------------------------------------


def test_preprocessing_splits_in_three(
    raw: Path, load_data: Callable[..., Path], preprocess: Callable[..., Path]
) -> None:
    source = load_data(raw) / "training_data"
    processed = preprocess(source)
    assert sorted(entry.name for entry in processed.iterdir()) == ["features", "test", "train", "validation"]
    splits = {
        name: pd.read_csv(processed / name / f"{name}_processed_data.csv", dtype={"patient_id": str})
        for name in ("train", "validation", "test")
    }
    assert {name: len(split) for name, split in splits.items()} == {"train": 298, "validation": 64, "test": 64}
    original = pd.read_csv(source / "data.csv", dtype={"patient_id": str}).set_index("patient_id")
    together = pd.concat(splits.values()).set_index("patient_id")
    assert sorted(together.index) == sorted(original.index)
    assert together.index.is_unique
    # Each row carries its own label and its own figures.
    ordered = together.loc[original.index]
    assert (ordered["target"] == (original["target"] == "malignant").astype(int)).all()
    assert ordered["worst_concave_points"].tolist() == original["worst concave points"].tolist()
    assert list(together.columns[:2]) == ["target", "mean_radius"]


def test_preprocessing_of_another_job_type_writes_one_table(
    raw: Path, load_data: Callable[..., Path], preprocess: Callable[..., Path]
) -> None:
    processed = preprocess(load_data(raw) / "calibration_data", "calibration")
    assert [entry.name for entry in processed.iterdir()] == ["calibration"]
    assert len(pd.read_csv(processed / "calibration" / "calibration_processed_data.csv")) == 143


def test_an_empty_cell_stays_missing(preprocess: Callable[..., Path], tmp_path: Path) -> None:
    processed = preprocess(write_csv(tmp_path / "in", rows(**{",0.2,": ",,"})), "testing")
    table = pd.read_csv(processed / "testing" / "testing_processed_data.csv", dtype={"patient_id": str})
    assert table.loc[table["mean_radius"].isna(), "patient_id"].tolist() == ["002"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows(target="labels"), "no column 'target'"),
        (rows(**{",0.2,": ",n/a,"}), r"column 'mean_radius': 1 cells are not numbers, as \['n/a'\]"),
        (
            rows().replace("malignant", "M"),
            r"no row has the positive label 'malignant'; 'target' holds \['M', 'benign'\]",
        ),
        (
            rows(**{"mean radius": "Target"}),
            r"columns that would get the same name: \{'target': \['Target', 'target'\]\}",
        ),
    ],
)
def test_preprocessing_refuses(text: str, message: str, preprocess: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        preprocess(write_csv(tmp_path / "bad", text))


@pytest.mark.parametrize("name", ["TRAIN_RATIO", "TEST_VAL_RATIO"])
def test_preprocessing_refuses_a_ratio(name: str, preprocess: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{name} must lie between 0 and 1, not 1.5"):
        preprocess(write_csv(tmp_path / "in", rows()), **{name: "1.5"})


# --- model archive ------------------------------------------------------------------------------------------------


def test_archive_round_trip_and_equal_bytes(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    archive = load("model_archive")
    (tmp_path / "source").write_bytes(b"weights\0")
    files = {"b/weights": tmp_path / "source", "a.json": tmp_path / "source"}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        archive.pack(files, tmp_path / name / "model.tar.gz")
    assert (tmp_path / "one" / "model.tar.gz").read_bytes() == (tmp_path / "two" / "model.tar.gz").read_bytes()
    assert archive.unpack(tmp_path / "one") == tmp_path / "one"
    assert (tmp_path / "one" / "b" / "weights").read_bytes() == b"weights\0"


@pytest.mark.parametrize(
    ("name", "kind"), [("../escape", tarfile.REGTYPE), ("/escape", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)]
)
def test_archive_refuses_to_write_elsewhere(
    name: str, kind: bytes, load: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in" / "model.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, "/etc/passwd" if kind == tarfile.SYMTYPE else "", 0
        tar.addfile(info, io.BytesIO())
    with pytest.raises(ValueError, match="refuses member"):
        load("model_archive").unpack(tmp_path / "in")
    assert [entry.name for entry in tmp_path.rglob("*")] == ["in", "model.tar.gz"]


def test_a_missing_archive_says_what_lies_there(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    (tmp_path / "output.tar.gz").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"no model\.tar\.gz in .*\['output\.tar\.gz'\]"):
        load("model_archive").unpack(tmp_path)


# --- probabilities ------------------------------------------------------------------------------------------------


def test_calibration_error_by_hand(load: Callable[[str], ModuleType]) -> None:
    error = load("probability").expected_calibration_error
    # Bin [0.2, 0.3): two rows, predicted 0.25, observed 0.5; bin [0.9, 1.0]: two rows, predicted 0.95, observed 1.
    probability, label = np.array([0.25, 0.25, 0.9, 1.0]), np.array([0, 1, 1, 1])
    assert error(label, probability) == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)
    assert error(np.array([0, 1]), np.array([0.0, 1.0])) == 0.0


def test_platt_finds_the_slope_that_was_taken_away(load: Callable[[str], ModuleType]) -> None:
    module = load("probability")
    generator = np.random.default_rng(0)
    margin = generator.normal(0, 2, 20_000)
    label = (generator.random(20_000) < module.sigmoid(margin)).astype(int)
    calibrator = module.PlattCalibrator.fit(margin / 2 + 1, label)
    assert (calibrator.slope, calibrator.intercept) == pytest.approx((2.0, -2.0), abs=0.1)
    before = module.quality(label, module.sigmoid(margin / 2 + 1))
    after = module.quality(label, calibrator.apply(margin / 2 + 1))
    assert all(after[name] < before[name] for name in before)


# --- package ------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(load: Callable[[str], ModuleType], tmp_path: Path) -> Callable[..., Path]:
    """Run Package on made-up inputs; returns its output directory."""

    def run(auc: float = 0.99, without: str = "", **env: str) -> Path:
        contents = {
            "evaluation/evaluation.json": json.dumps({"auc": auc}),
            "calibration/calibrator.json": "{}",
            "calibration/calibration_metrics.json": "{}",
        }
        for name, text in contents.items():
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            if name != without:
                file.write_text(text)
        (tmp_path / "model").mkdir()
        (tmp_path / "weights").write_bytes(b"weights")
        load("model_archive").pack({"weights": tmp_path / "weights"}, tmp_path / "model" / "model.tar.gz")
        inputs = {f"{name}_input": str(tmp_path / name) for name in ("model", "evaluation", "calibration")}
        load("package").main(inputs, {"packaged_model": str(tmp_path / "out")}, env, job("testing"))
        return tmp_path / "out"

    return run


def test_package_holds_what_its_manifest_says(package: Callable[..., Path], load: Callable[[str], ModuleType]) -> None:
    output = package()
    manifest = json.loads((output / "manifest.json").read_text())
    digest = load("package").digest
    assert manifest["digest"] == digest((output / "model_package.tar.gz").read_bytes())
    with tarfile.open(output / "model_package.tar.gz") as tar:
        found = {member.name: digest(tar.extractfile(member).read()) for member in tar.getmembers()}
    assert found == {name: entry["digest"] for name, entry in manifest["files"].items()}
    assert sorted(found) == [
        "calibration/calibration_metrics.json",
        "calibration/calibrator.json",
        "evaluation/evaluation.json",
        "model/weights",
    ]


@pytest.mark.parametrize("auc", [0.94, float("nan")])
def test_package_refuses_a_poor_model(auc: float, package: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is below MIN_AUC 0\.95: nothing is packaged"):
        package(auc, MIN_AUC="0.95")
    assert not (tmp_path / "out").exists()


def test_package_names_what_was_not_delivered(package: Callable[..., Path]) -> None:
    with pytest.raises(FileNotFoundError, match=r"not delivered: \['.*calibrator\.json'\]"):
        package(without="calibration/calibrator.json")


def test_package_reads_back_what_it_wrote(package: Callable[..., Path], load: Callable[[str], ModuleType]) -> None:
    output = package()
    entries = json.loads((output / "manifest.json").read_text())["files"]
    entries["model/weights"]["digest"] = "sha256:0"
    with pytest.raises(OSError, match=r"differs from its manifest in \['model/weights'\]"):
        load("package").verify(output / "model_package.tar.gz", entries)


# --- exit message -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["data_loading", "tabular_preprocessing", "processing_job"])
def test_a_long_message_is_cut_to_valid_utf8(
    module: str, load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load(module)
    monkeypatch.setattr(script, "MESSAGE_FILE", tmp_path / "output" / "message")
    script.leave_message("x" + "é" * 600)
    written = (tmp_path / "output" / "message").read_bytes()
    assert written.decode() == "x" + "é" * 511


def test_a_failing_job_leaves_its_error_as_message(
    load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load("processing_job")
    monkeypatch.setattr(script, "MESSAGE_FILE", tmp_path / "message")
    monkeypatch.setattr(sys, "argv", ["script.py", "--job_type", "testing"])

    def fails(*_: object) -> str:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        script.run(fails, {}, {}, "testing")
    assert (tmp_path / "message").read_text() == "ValueError: no such thing"
