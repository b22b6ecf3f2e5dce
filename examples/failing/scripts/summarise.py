"""Say the counts of /opt/ml/processing/input/counts/counts.json in one sentence."""

import json
from pathlib import Path

counts = json.loads(Path("/opt/ml/processing/input/counts/counts.json").read_text())
sentence = ", ".join(f"{count} rows with label {label}" for label, count in sorted(counts.items()))
Path("/opt/ml/processing/output/summary/summary.txt").write_text(sentence + "\n")
print(sentence)
