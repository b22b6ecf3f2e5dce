"""Waits for a file that nobody writes."""

import time
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    while not (Path(input_paths["orders"]) / "ready").exists():
        time.sleep(0.1)
    (Path(output_paths["done"]) / "done.txt").write_text("done")
