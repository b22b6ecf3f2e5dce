"""Fetches exchange rates over the network, which the container does not have."""

import urllib.request
from pathlib import Path


def main(input_paths, output_paths, environ_vars, job_args):
    with urllib.request.urlopen("https://rates.example.com/eur.json", timeout=5) as answer:
        (Path(output_paths["rates"]) / "eur.json").write_bytes(answer.read())
