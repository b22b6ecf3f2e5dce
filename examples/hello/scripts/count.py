"""Count the letters of the greeting in /opt/ml/processing/input/greeting; writes count.json."""

import json
from pathlib import Path

greeting = Path("/opt/ml/processing/input/greeting/greeting.txt").read_text(encoding="utf-8").strip()
count = {"text": greeting, "letters": sum(letter.isalpha() for letter in greeting)}
Path("/opt/ml/processing/output/count/count.json").write_text(json.dumps(count, indent=2) + "\n", encoding="utf-8")
print(f"{count['letters']} letters in {greeting!r}")
