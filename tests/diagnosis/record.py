"""Run the scripts in the project's images and write what they say into `recorded/`; `python tests/diagnosis/record.py`.

One container for each image. The first line of a file is the exit code, the rest is stderr.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
DRIVER = """
import base64, json, os, shutil, subprocess, sys
ml = "/opt/ml/processing"
for name, case in sorted(json.load(open("/cases/cases.json")).items()):
    shutil.rmtree(ml, ignore_errors=True)
    for place in ("input/code", "input/DATA", "output/out"):
        os.makedirs(os.path.join(ml, place))
    for path, data in case["data"].items():
        full = os.path.join(ml, "input/DATA", path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        open(full, "wb").write(base64.b64decode(data))
    script = os.path.join(ml, "input/code/consume.py")
    open(script, "w", encoding="utf-8").write(case["text"])
    env = {**os.environ, **case["env"]}
    done = subprocess.run(["python3", script, *case["args"]], cwd="/", capture_output=True, env=env)
    open("/cases/%s.txt" % name, "wb").write(b"%d\\n" % done.returncode + done.stderr)
"""


def record(names: Iterable[str], target: Path) -> None:
    """Run the scripts of these names, each image once."""
    from diagnosis.scripts import DATA, SCRIPTS

    from runner.engine import images
    from runner.engine.client import client
    from runner.engine.creation import bind
    from runner.engine.oneshot import ask

    data = {path: base64.b64encode(content).decode() for path, content in DATA.items()}
    docker = client()
    for image in dict.fromkeys(SCRIPTS[name].image for name in names):
        chosen = {name: SCRIPTS[name] for name in names if SCRIPTS[name].image == image}
        images.ensure(image, print)
        with tempfile.TemporaryDirectory() as place:
            cases = {n: {"text": s.text, "args": s.args, "env": s.env, "data": data} for n, s in chosen.items()}
            Path(place, "cases.json").write_text(json.dumps(cases))
            answer = ask(
                docker, images.docker_reference(image), ["python3", "-c", DRIVER], purpose="record",
                mounts=[bind(Path(place), "/cases")], user="0:0", seconds=600,
            )  # fmt: skip
            if answer.exit_code:
                raise SystemExit(answer.stderr)
            for name in chosen:
                (target / f"{name}.txt").write_bytes(Path(place, f"{name}.txt").read_bytes())
    docker.close()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    from diagnosis.scripts import SCRIPTS

    record(sys.argv[1:] or list(SCRIPTS), HERE / "recorded")
