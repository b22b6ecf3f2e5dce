"""What the script did, where packages are installed before it: the report is of the script alone, and never of pip."""

from __future__ import annotations

import json

from conformance.cases import OUT, Case, Ran
from conformance.section_10_trace import says, trace
from images.private_index import PACKAGE, WHEEL, wheel

PACKAGES: dict[str, str | bytes] = {
    "src/requirements.txt": f"./vendor/{WHEEL}\n",
    f"src/vendor/{WHEEL}": wheel(),
}
"""Installed without an index."""
LOST = "open('/opt/ml/lost', 'w').write('1')\n"
LOOKS = """
import json, os, sys
pip = sys.argv[:1] == ["-m"]
seen = {"mine": [key for key in os.environ if "RUN_PIPELINE" in key], "path": os.environ["PYTHONPATH"]}
with open("/opt/ml/output/data/%s.json" % ("pip" if pip else "script"), "w") as file:
    json.dump(seen, file)
"""
"""A `sitecustomize` among the training code: PYTHONPATH shows it to the script, and to pip before it."""


def pipeline(kind: str, script: str, more: str = "") -> str:
    return f"name: trace\nimage: python\nsteps:\n  s: {{type: {kind}, source_dir: src, script: {script}{more}}}\n"


def check_training(ran: Ran) -> None:
    assert f"Successfully installed {PACKAGE}".encode() in ran.stream()
    says("outside of the outputs: /opt/ml/lost")(ran)
    told = trace(ran)
    assert [path for path, _ in told["writes"]] == ["/opt/ml/model/m", "/opt/ml/lost"]
    looked = [f"/opt/ml/output/data/{name}.json" for name in ("pip", "script")]
    assert (told["reads"], told["missing"]) == (["/opt/ml/code/train.py", *looked], [])
    assert (told["children"], told["connections"]) == ([], [])
    own = {"mine": [], "path": "/opt/ml/code"}
    assert json.loads(ran.stream().splitlines()[-1]) == {"pip": own, "script": own}


def check_failed_training(ran: Ran) -> None:
    """pip's temporary files, which are gone by then, are not what the script missed."""
    assert f"Successfully installed {PACKAGE}".encode() in ran.stream()
    says("not there, and no input declares: /home/me/data.csv")(ran)


def check_processing(ran: Ran) -> None:
    assert f"Successfully installed {PACKAGE}".encode() in ran.stream()
    says("outside of the outputs: /opt/ml/lost")(ran)
    told = trace(ran)
    assert [path for path, _ in told["writes"]] == ["/opt/ml/lost", f"{OUT}/kept"]
    assert (told["reads"], told["missing"]) == (["/opt/ml/processing/input/code/load.py"], [])
    assert (told["children"], told["connections"]) == ([], [])


def check_pip_alone(ran: Ran) -> None:
    assert "requirements.txt could not be installed (pip ended with 1)" in ran.result()["reason"]
    assert (trace(ran)["traced"], trace(ran)["why"]) == (False, "pip alone ran, which is not traced")
    assert ran.result()["warnings"] == []


def check_instances(ran: Ran) -> None:
    """The hosts' logs say it, and so does the verdict: as of a single instance."""
    result = ran.result()
    words = "exit 1: requirements.txt could not be installed (pip ended with 1)"
    assert result["reason"] in (
        f"{result['failed_host']}: {words}",
        f"algo-1, algo-2: {words}",
        f"algo-2, algo-1: {words}",
    )
    log = ran.root / "steps" / "s" / "hosts" / result["failed_host"] / "stderr"
    assert b"Hashes are required" in log.read_bytes()


CASES = [
    Case(
        name="trace: a training script with packages",
        points=("2.script.requirements",),
        pipeline=pipeline("training", "train.py"),
        files={
            **PACKAGES,
            "src/sitecustomize.py": LOOKS,
            "src/train.py": f"import json, {PACKAGE}\nopen('/opt/ml/model/m', 'w').write('1')\n{LOST}"
            "data = '/opt/ml/output/data/'\n"
            "print(json.dumps({name: json.load(open(data + name + '.json')) for name in ('pip', 'script')}))\n",
        },
        check=check_training,
    ),
    Case(
        name="trace: a training script with packages, when it failed",
        points=("2.script.requirements",),
        pipeline=pipeline("training", "train.py"),
        files={**PACKAGES, "src/train.py": f"import {PACKAGE}\nopen('/home/me/data.csv')\n"},
        check=check_failed_training,
        exit_code=1,
    ),
    Case(
        name="trace: a processing script with packages",
        points=("1.code.requirements",),
        pipeline=pipeline("processing", "load.py", ", outputs: [out]"),
        files={**PACKAGES, "src/load.py": f"import {PACKAGE}\n{LOST}open('{OUT}/kept', 'w').write('1')\n"},
        check=check_processing,
    ),
    Case(
        name="trace: packages that cannot be installed",
        points=("1.code.requirements",),
        pipeline=pipeline("processing", "load.py", ", env: {PIP_REQUIRE_HASHES: 1}"),
        files={**PACKAGES, "src/load.py": LOST},
        check=check_pip_alone,
        exit_code=1,
    ),
    *(
        Case(
            name=f"trace: packages that cannot be installed on several instances, {kind}",
            points=(point,),
            pipeline=pipeline(kind, "load.py", ", env: {PIP_REQUIRE_HASHES: 1}, instance_count: 2"),
            files={**PACKAGES, "src/load.py": LOST},
            check=check_instances,
            exit_code=1,
        )
        for kind, point in (("processing", "1.code.requirements"), ("training", "2.script.requirements"))
    ),
]
