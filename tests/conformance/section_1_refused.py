"""Contract 1, bad input: what can run nowhere is refused with its line before anything starts."""

from __future__ import annotations

from typing import Any

from conformance.cases import Case, Ran
from conformance.ways import cli, nothing_started


def refused(*lines: str) -> Any:
    def check(ran: Ran) -> None:
        assert ran.notices == tuple(f"pipeline.yaml:{line}" for line in lines)
        nothing_started(ran)

    return check


LOCALPATH = """\
image: python
steps:
  s:
    script: s.py
    inputs:
      a: {source: data, path: /opt/ml/input/a}
      b: {source: data, path: relative}
    outputs:
      c: /somewhere
      d: /opt/ml/processing/../model
      e: /opt/ml/processing
"""
ONLY = "SageMaker takes only paths that begin with /opt/ml/processing/, got"
BAD_LOCALPATHS = refused(
    f"6:31: steps.s.inputs.a.path: {ONLY} '/opt/ml/input/a'",
    "7:31: steps.s.inputs.b.path: expected an absolute path in the container, as /opt/ml/processing/...,"
    " got 'relative'",
    f"9:10: steps.s.outputs.c.path: {ONLY} '/somewhere'",
    f"10:10: steps.s.outputs.d.path: {ONLY} '/opt/ml/processing/../model', which is /opt/ml/model",
    f"11:10: steps.s.outputs.e.path: {ONLY} '/opt/ml/processing'",
)
OVERLAPS = """\
image: python
steps:
  s:
    script: s.py
    inputs:
      a: {source: data, path: /opt/ml/processing/x}
      b: {source: data, path: /opt/ml/processing/x/}
    outputs:
      in_input: /opt/ml/processing/x/out
      around: /opt/ml/processing/y
      inside: /opt/ml/processing/y/z
"""
OVERLAP_LINES = refused(
    "7:7: steps.s.inputs.b: its directory /opt/ml/processing/x is also that of input 'a'; give it another 'path'",
    "9:17: steps.s.outputs.in_input: its directory /opt/ml/processing/x/out lies inside input 'a'"
    " (/opt/ml/processing/x)",
    "9:17: steps.s.outputs.in_input: its directory /opt/ml/processing/x/out lies inside input 'b'"
    " (/opt/ml/processing/x)",
    "11:15: steps.s.outputs.inside: its directory /opt/ml/processing/y/z lies inside output 'around'"
    " (/opt/ml/processing/y)",
)
SLASH = "image: python\nsteps:\n  s:\n    type: training\n    script: s.py\n    inputs: {a/b: data}\n"


HERE = {"s.py": "", "data/a.csv": "a"}

CASES = [
    Case(
        name="1.path.localpath", points=("1.path.localpath",), files=HERE, pipeline=LOCALPATH,
        check=BAD_LOCALPATHS, exit_code=2, run=cli("run", "pipeline.yaml"),
    ),
    Case(
        name="P10 output LocalPath /somewhere", points=("P10", "1.path.localpath"), files=HERE, exit_code=2,
        pipeline="image: python\nsteps:\n  s: {script: s.py, outputs: {o: /somewhere}}\n",
        check=refused(f"3:34: steps.s.outputs.o.path: {ONLY} '/somewhere'"), run=cli("run", "pipeline.yaml"),
    ),
    Case(
        name="1.path, what gets in its own way", points=("1.path.localpath", "1.path.nested-inputs"), files=HERE,
        pipeline=OVERLAPS, check=OVERLAP_LINES, exit_code=2, run=cli("run", "pipeline.yaml"),
    ),
    Case(
        name="2.limit.channels, a slash in a name", points=("2.limit.channels",), files=HERE, pipeline=SLASH,
        check=refused("6:14: steps.s.inputs.a/b: 'a/b' is not a name for data: 1 to 255 letters, digits, '_', '.' and"
                      " '-'"),
        exit_code=2, run=cli("run", "pipeline.yaml"),
    ),
    Case(
        name="1.unknown.empty, an empty directory of the host", points=("1.unknown.empty",), exit_code=2,
        files={"s.py": "", "keep/empty/../beside": "x"}, run=cli("run", "pipeline.yaml"),
        pipeline="image: python\nsteps:\n  s: {script: s.py, inputs: {i: keep/empty}}\n",
        check=refused("3:33: steps.s.inputs.i: the directory 'keep/empty' is empty; SageMaker fails on an input"
                      " without files"),
    ),
]  # fmt: skip
