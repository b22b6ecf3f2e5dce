"""Write a greeting to /opt/ml/processing/output/greeting/greeting.txt. Environment: WHOM."""

import os
from pathlib import Path

greeting = f"hello, {os.environ['WHOM']}"
Path("/opt/ml/processing/output/greeting/greeting.txt").write_text(greeting + "\n", encoding="utf-8")
print(greeting)
