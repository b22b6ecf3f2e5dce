"""Lists the cities."""

from pathlib import Path

import pandas as pd


def main(input_paths, output_paths, environ_vars, job_args):
    cities = pd.read_csv(Path(input_paths["cities"]) / "cities.csv")
    (Path(output_paths["listed"]) / "cities.txt").write_text("\n".join(sorted(set(cities["city"]))))
