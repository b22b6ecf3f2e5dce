"""Put model, calibrator and their figures into one archive that can be registered, if the figures are good enough.

Reads   /opt/ml/processing/input/model/model.tar.gz (unopened, as training left it)
        /opt/ml/processing/input/evaluation/evaluation.json
        /opt/ml/processing/input/calibration/{calibrator,calibration_metrics}.json
Writes  /opt/ml/processing/output/packaged_model: model_package.tar.gz, manifest.json
Environment: MIN_AUC (default 0.5: below it nothing is packaged).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import tarfile
from pathlib import Path

import processing_job
from model_archive import ARCHIVE, pack, unpack

logger = logging.getLogger("package")

INPUT_PATHS = {
    "model_input": "/opt/ml/processing/input/model",
    "evaluation_input": "/opt/ml/processing/input/evaluation",
    "calibration_input": "/opt/ml/processing/input/calibration",
}
OUTPUT_PATHS = {"packaged_model": "/opt/ml/processing/output/packaged_model"}
PACKAGE = "model_package.tar.gz"


class NotGoodEnoughError(ValueError):
    """The model's figures do not allow a release."""


def collect(input_paths: dict[str, str]) -> dict[str, Path]:
    """Files by their name in the package. Raises FileNotFoundError naming what a producer did not deliver."""
    model = unpack(Path(input_paths["model_input"]))
    files = {
        f"model/{file.relative_to(model).as_posix()}": file
        for file in sorted(model.rglob("*"))
        if file.is_file() and file.name != ARCHIVE
    }
    files["evaluation/evaluation.json"] = Path(input_paths["evaluation_input"]) / "evaluation.json"
    for name in ("calibrator.json", "calibration_metrics.json"):
        files[f"calibration/{name}"] = Path(input_paths["calibration_input"]) / name
    missing = sorted(str(file) for file in files.values() if not file.is_file())
    if missing:
        raise FileNotFoundError(f"not delivered: {missing}")
    return files


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def verify(package: Path, entries: dict[str, dict[str, object]]) -> None:
    """Read the package back and compare each member with the manifest. Raises OSError when it was not written whole."""
    with tarfile.open(package, "r:gz") as tar:
        found = {member.name: digest(tar.extractfile(member).read()) for member in tar.getmembers()}
    expected = {name: entry["digest"] for name, entry in entries.items()}
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise OSError(f"{package} differs from its manifest in {wrong}")


def main(
    input_paths: dict[str, str],
    output_paths: dict[str, str],
    environ_vars: dict[str, str],
    job_args: argparse.Namespace,
) -> str:
    min_auc = float(environ_vars.get("MIN_AUC", "0.5"))
    files = collect(input_paths)
    evaluation = json.loads(files["evaluation/evaluation.json"].read_text())
    calibration = json.loads(files["calibration/calibration_metrics.json"].read_text())
    logger.info("job type %s, AUC %.4f, at least %.4f wanted", job_args.job_type, evaluation["auc"], min_auc)
    if not evaluation["auc"] >= min_auc:
        raise NotGoodEnoughError(f"AUC {evaluation['auc']:.4f} is below MIN_AUC {min_auc}: nothing is packaged")

    directory = Path(output_paths["packaged_model"])
    directory.mkdir(parents=True, exist_ok=True)
    entries = {
        name: {"bytes": file.stat().st_size, "digest": digest(file.read_bytes())}
        for name, file in sorted(files.items())
    }
    package = directory / PACKAGE
    pack(files, package)
    verify(package, entries)
    manifest = {
        "package": PACKAGE,
        "digest": digest(package.read_bytes()),
        "files": entries,
        "evaluation": evaluation,
        "calibration": calibration,
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    message = f"{PACKAGE}: {len(entries)} files, {package.stat().st_size} bytes, AUC {evaluation['auc']:.4f}"
    logger.info("%s", message)
    return message


if __name__ == "__main__":
    processing_job.run(main, INPUT_PATHS, OUTPUT_PATHS, default_job_type="testing")
