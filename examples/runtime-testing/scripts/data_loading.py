"""Copies the raw tables, and fails where there is none."""

import shutil
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    files = sorted(Path(input_paths["raw_data"]).rglob("*.csv"))
    if not files:
        raise FileNotFoundError(f"no table in {input_paths['raw_data']}")
    for file in files:
        shutil.copyfile(file, Path(output_paths["loaded_data"]) / file.name)
    print(f"{len(files)} tables")
