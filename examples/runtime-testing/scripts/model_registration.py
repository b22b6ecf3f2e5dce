"""Writes the record of a model: the digest of each of its files."""

import hashlib
import json
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    folder = Path(input_paths["model"])
    files = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if not files:
        raise FileNotFoundError(f"no model in {folder}")
    (Path(output_paths["registration"]) / "model.json").write_text(json.dumps({"files": files}, indent=2))
