"""Loads more than its step may use."""

from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    orders = (Path(input_paths["orders"]) / "orders.csv").read_bytes()
    table = bytearray(orders * (400 * 1024 * 1024 // len(orders)))
    (Path(output_paths["size"]) / "size.txt").write_text(str(len(table)))
