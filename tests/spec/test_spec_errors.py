"""Every fault of a pipeline file: the exact lines that a person reads. Each case is a text and its lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec.models import Pipeline

Refuse = Callable[..., list[str]]

HEAD = "image: python\nsteps:\n"
"""Two lines; the cases below go on with line 3."""

IN_A_STEP = [
    # --- instances
    ("    instance_count: 0\n", "4:21: steps.s.instance_count: expected a whole number above 0, got the number 0"),
    # --- keys and types
    ("    scrpt: x\n", "4:5: steps.s: unknown key 'scrpt' (did you mean 'script'?)"),
    ("    environment: {}\n", "4:5: steps.s: unknown key 'environment' (did you mean 'env'?)"),
    (
        "    resources: {gpus: 1}\n",
        "4:17: steps.s.resources: unknown key 'gpus' (did you mean 'cpus'?)",
    ),
    (
        "    resources: {zzz: 1}\n",
        "4:17: steps.s.resources: unknown key 'zzz'; known here: 'cpus', 'memory', 'shm_size', 'pids'",
    ),
    (
        "    inputs: {x: {from: p.o, key: 1}}\n",
        "4:29: steps.s.inputs.x: unknown key 'key'; known here: 'source', 'from', 'path', 'distribution', "
        "'content_type', 'private', 'expects'",
    ),
    ("    image: 3.12\n", "4:12: steps.s.image: expected text, got the number 3.12; put it in quotes: '3.12'"),
    ("    image: ''\n", "4:12: steps.s.image: must not be empty"),
    ("    image: [a]\n", "4:5: steps.s.image: expected text, got a list"),
    ("    inputs: [a]\n", "4:5: steps.s.inputs: expected a mapping, got a list"),
    ("    inputs: {x: 5}\n", "4:17: steps.s.inputs.x: expected a host path or {from: step.output}, got the number 5"),
    (
        "    inputs: {x: {path: /opt/ml/processing/x}}\n",
        "4:14: steps.s.inputs.x: has neither 'source' nor 'from'; write a host path or {from: step.output}",
    ),
    (
        "    inputs: {x: {from: p.o, source: data/raw}}\n",
        "4:14: steps.s.inputs.x: has both 'source' and 'from'; write a host path or {from: step.output}",
    ),
    ("    outputs: [a, 5]\n", "4:18: steps.s.outputs.1: expected a name, got the number 5"),
    ("    outputs: [a, b, a]\n", "4:21: steps.s.outputs.2: 'a' is listed twice"),
    (
        "    outputs: {a: true}\n",
        "4:18: steps.s.outputs.a: expected a container path, {path, allow_empty} or nothing; got the boolean true",
    ),
    (
        "    outputs: {a: {allow_empty: yes}}\n",
        "4:32: steps.s.outputs.a.allow_empty: expected true or false, got 'yes'",
    ),
    (
        "    type: trainning\n",
        "4:11: steps.s.type: expected processing, training or transform, got 'trainning' (did you mean 'training'?)",
    ),
    ("    network: true\n", "4:14: steps.s.network: expected none or bridge, got the boolean true"),
    ("    depends_on: {p: 1}\n", "4:5: steps.s.depends_on: expected a list, got a mapping"),
    ("    depends_on: [7]\n", "4:18: steps.s.depends_on.0: expected text, got the number 7; put it in quotes: '7'"),
    # --- scalars
    ("    env: {A: [1]}\n", "4:11: steps.s.env.A: expected text, a number, true or false; got a list"),
    ("    env: {A: }\n", "4:14: steps.s.env.A: has no value; write '' for an empty text"),
    (
        "    env: {1A: x}\n",
        "4:11: steps.s.env.1A: '1A' is not a name for an environment variable: letters, digits and '_', no digit first",
    ),
    ("    timeout: soon\n", "4:14: steps.s.timeout: expected seconds, or a text as '90s', '5m', '1h'; got 'soon'"),
    ("    timeout: -5\n", "4:14: steps.s.timeout: expected seconds, or a text as '90s', '5m', '1h'; got the number -5"),
    (
        "    timeout: .inf\n",
        "4:14: steps.s.timeout: expected seconds, or a text as '90s', '5m', '1h'; got the number .inf",
    ),
    ("    timeout: 0\n", "4:14: steps.s.timeout: a time-out of 0 would let nothing run; leave it out for no limit"),
    ("    resources: {cpus: 0}\n", "4:23: steps.s.resources.cpus: expected a number above 0, got the number 0"),
    ("    resources: {cpus: '2'}\n", "4:23: steps.s.resources.cpus: expected a number above 0, got '2'"),
    (
        "    resources: {pids: 1.5}\n",
        "4:23: steps.s.resources.pids: expected a whole number above 0, got the number 1.5",
    ),
    (
        "    resources: {memory: lots}\n",
        "4:25: steps.s.resources.memory: expected bytes, or a text as '512m', '2g'; got 'lots'",
    ),
    (
        "    resources: {memory: 5m}\n",
        "4:25: steps.s.resources.memory: '5m' is below 6m, the least that a container can have",
    ),
    # --- commands
    (
        "    args: --x 1\n",
        "4:11: steps.s.args: expected a mapping or a list (no shell splits a text), got '--x 1'",
    ),
    ("    args: [a, [b]]\n", "4:15: steps.s.args.1: expected text, a number, true or false; got a list"),
    ("    args: [a, ~]\n", "4:15: steps.s.args.1: has no value; write '' for an empty text"),
    (
        "    args: {k: {a: 1}}\n",
        "4:12: steps.s.args.k: expected text, a number, true, false, a list or nothing; got a mapping",
    ),
    (
        "    entrypoint: python3 x.py\n",
        "4:17: steps.s.entrypoint: expected a list, as [python3, main.py] (no shell splits a text); got 'python3 x.py'",
    ),
    ("    entrypoint: []\n", "4:5: steps.s.entrypoint: expected at least one word"),
    # --- names and paths
    (
        "    inputs: {'a b': data/raw}\n",
        "4:14: steps.s.inputs.a b: 'a b' is not a name for data: 1 to 255 letters, digits, '_', '.' and '-'",
    ),
    (
        "    outputs: {..: }\n",
        "4:15: steps.s.outputs...: '..' is not a name for data: 1 to 255 letters, digits, '_', '.' and '-'",
    ),
    (
        "    outputs: {o: /tmp/x}\n",
        "4:18: steps.s.outputs.o.path: SageMaker takes only paths that begin with /opt/ml/processing/, got '/tmp/x'",
    ),
    (
        "    outputs: {o: out}\n",
        "4:18: steps.s.outputs.o.path: expected an absolute path in the container, as /opt/ml/processing/...,"
        " got 'out'",
    ),
    (
        "    outputs: {o: /opt/ml/processing}\n",
        "4:18: steps.s.outputs.o.path: SageMaker takes only paths that begin with /opt/ml/processing/,"
        " got '/opt/ml/processing'",
    ),
    (
        "    outputs: {o: /opt/ml/processing/a/../b}\n",
        "4:18: steps.s.outputs.o.path: write the path without '.', '..' and '//': /opt/ml/processing/b",
    ),
    (
        '    outputs: {o: "/opt/ml/processing/a\\nb"}\n',
        "4:18: steps.s.outputs.o.path: a container path holds no control characters",
    ),
    (
        "    outputs: {o: /opt/ml/processing/output/../../x}\n",
        "4:18: steps.s.outputs.o.path: SageMaker takes only paths that begin with /opt/ml/processing/,"
        " got '/opt/ml/processing/output/../../x', which is /opt/ml/x",
    ),
    (
        "    inputs: {x: 's3://bucket/key'}\n",
        "4:17: steps.s.inputs.x: 's3://bucket/key': S3 inputs are not supported yet; give a local file or directory",
    ),
    (
        "    inputs: {x: 'https://h/key'}\n",
        "4:17: steps.s.inputs.x: 'https://h/key': URL inputs are not supported yet; give a local file or directory",
    ),
    # --- references
    (
        "    inputs: {x: {from: P.o}}\n",
        "4:24: steps.s.inputs.x: no step 'P' (did you mean 'p'?)",
    ),
    ("    inputs: {x: {from: nothing.o}}\n", "4:24: steps.s.inputs.x: no step 'nothing'"),
    (
        "    inputs: {x: {from: p.oo}}\n",
        "4:24: steps.s.inputs.x: step 'p' has no output 'oo' (did you mean 'o'?); it has: 'o', 'rest'",
    ),
    (
        "    inputs: {x: {from: p}}\n",
        "4:24: steps.s.inputs.x: expected 'step.output', got 'p'; write 'p.o' or 'p.rest'",
    ),
    ("    inputs: {x: {from: s.o}}\n", "4:24: steps.s.inputs.x: step 's' cannot need itself"),
    ("    depends_on: [p, q]\n", "4:21: steps.s.depends_on: no step 'q'"),
    ("    depends_on: [s]\n", "4:18: steps.s.depends_on: step 's' cannot need itself"),
    ("    depends_on: [p, p]\n", "4:18: steps.s.depends_on: 'p' is listed twice"),
    # --- rules of a type
    (
        "    hyperparameters: {a: 1}\n",
        "4:5: steps.s.hyperparameters: is for training steps; a processing step takes 'args'",
    ),
    (
        "    inputs: {code: data/raw}\n",
        "4:14: steps.s.inputs.code: the name 'code' is taken by the step's own code; rename the input",
    ),
    (
        "    type: training\n    inputs: {code: data/raw}\n",
        "5:14: steps.s.inputs.code: the name 'code' is taken by the step's own code; rename the input",
    ),
    # --- mounts
    (
        "    inputs: {x: data/raw, y: {from: p.o, path: /opt/ml/processing/input/x}}\n",
        "4:27: steps.s.inputs.y: its directory /opt/ml/processing/input/x is also that of input 'x';"
        " give it another 'path'",
    ),
    (
        "    inputs: {x: {from: p.o, path: /opt/ml/processing/input/code}}\n",
        "4:14: steps.s.inputs.x: its directory /opt/ml/processing/input/code is also that of the step's code;"
        " give it another 'path'",
    ),
    (
        "    outputs: {a: /opt/ml/processing/a, b: /opt/ml/processing/a/b}\n",
        "4:43: steps.s.outputs.b: its directory /opt/ml/processing/a/b lies inside output 'a' (/opt/ml/processing/a)",
    ),
    (
        "    outputs: {a: /opt/ml/processing/input}\n",
        "4:18: steps.s.outputs.a: its directory /opt/ml/processing/input holds the step's code"
        " (/opt/ml/processing/input/code)",
    ),
    (
        "    inputs: {x: data/raw}\n    outputs: {a: /opt/ml/processing/input/x/a}\n",
        "5:18: steps.s.outputs.a: its directory /opt/ml/processing/input/x/a lies inside input 'x'"
        " (/opt/ml/processing/input/x)",
    ),
    (
        "    outputs: {a: /opt/ml/processing/input/code/a}\n",
        "4:18: steps.s.outputs.a: its directory /opt/ml/processing/input/code/a lies inside the step's code"
        " (/opt/ml/processing/input/code)",
    ),
    (
        f"    outputs: {{o: /opt/ml/processing/{'x' * 256}}}\n",
        "4:18: steps.s.outputs.o.path: no directory can have this path: Linux takes at most 255 bytes between two"
        " slashes, and 4095 in all",
    ),
    (
        "    type: training\n    inputs: {a/b: data/raw}\n",
        "5:14: steps.s.inputs.a/b: 'a/b' is not a name for data: 1 to 255 letters, digits, '_', '.' and '-'",
    ),
    # --- the host's disk
    (
        "    inputs: {x: data/rw}\n",
        "4:17: steps.s.inputs.x: no file or directory 'data/rw' (did you mean 'data/raw'?) (looked for data/rw)",
    ),
    (
        "    inputs: {x: p.o}\n",
        "4:17: steps.s.inputs.x: no file or directory 'p.o' (looked for p.o);"
        " to take another step's output write {from: p.o}",
    ),
    (
        "    inputs: {x: data/empty}\n",
        "4:17: steps.s.inputs.x: the directory 'data/empty' is empty; SageMaker fails on an input without files",
    ),
    (
        "    inputs: {x: data/hollow}\n",
        "4:17: steps.s.inputs.x: the directory 'data/hollow' has nothing but empty directories;"
        " SageMaker fails on an input without files",
    ),
    (
        "    inputs: {x: {source: data/raw, content_type: text/csv}}\n",
        "4:36: steps.s.inputs.x.content_type: is for a training step's channels and a transform step's data;"
        " SageMaker's processing has none",
    ),
    ("    source_dir: data\n", "3:13: steps.s.script: no file 'a.py' (looked for data/a.py)"),
    ("    source_dir: a.py\n", "4:17: steps.s.source_dir: 'a.py' is a file, not a directory"),
]


@pytest.mark.parametrize(("text", "line"), IN_A_STEP, ids=[line for _, line in IN_A_STEP])
def test_a_fault_in_a_step(refuse: Refuse, text: str, line: str) -> None:
    rest = "  p: {script: a.py, outputs: [o, rest]}\n"
    assert refuse("steps:\n  s:\n    script: a.py\n" + text + rest + "image: python\n") == [f"pipeline.yaml:{line}"]


WHOLE = [
    ("[1]\n", ["1:1: expected a mapping with the key 'steps' at the top of the file"]),
    ("name: x\n", ["1:1: the key 'steps' is missing"]),
    ("steps:\n", ["1:1: the key 'steps' is missing"]),
    ("steps: {}\n", ["1:1: steps: at least one is needed"]),
    ("steps: [a]\n", ["1:1: steps: expected a mapping, got a list"]),
    ("steps: {a: }\n", ["1:12: steps.a: expected a mapping, got nothing (null)"]),
    (
        HEAD + "  s: {script: a.py}\nextra: 1\n",
        ["4:1: unknown key 'extra'; known here: 'name', 'image', 'images', 'env', 'steps'"],
    ),
    (
        HEAD + "  a.b: {script: a.py}\n",
        [
            "3:3: steps.a.b: 'a.b' is not a step name: 1 to 64 letters, digits, '_' and '-', beginning with a letter"
            " or digit"
        ],
    ),
    ("steps:\n  s: {script: a.py}\n", ["2:3: steps.s: needs an 'image', here or for the whole pipeline"]),
    (
        HEAD + "  s: {}\n",
        ["3:3: steps.s: needs a 'script' (or an 'entrypoint', or an 'image' of its own that knows what to run)"],
    ),
    (
        HEAD + "  s: {source_dir: src, image: x}\n",
        ["3:7: steps.s.source_dir: has no effect without a 'script', a 'module' or an 'entrypoint'"],
    ),
    (
        HEAD + "  s: {script: data}\n",
        [
            "3:15: steps.s.script: 'data' is a directory, not a file",
        ],
    ),
    (HEAD + "  s: {script: b.py}\n", ["3:15: steps.s.script: no file 'b.py' (looked for b.py)"]),
    (
        HEAD + "  s: {script: src/mian.py}\n",
        ["3:15: steps.s.script: no file 'src/mian.py' (did you mean 'src/main.py'?) (looked for src/mian.py)"],
    ),
    (
        HEAD + "  s: {script: data/raw/rows.csv}\n",
        ["3:15: steps.s.script: 'data/raw/rows.csv' is not a Python file; say how to run it with 'entrypoint'"],
    ),
    (
        HEAD + "  s: {script: a.py, source_dir: 's3://b/k.tar.gz'}\n",
        [
            "3:33: steps.s.source_dir: 's3://b/k.tar.gz': code from S3 is not supported yet; give a local directory",
        ],
    ),
    (
        'name: "a\\e[2Jb"\n' + HEAD + "  s: {script: a.py}\n",
        ["1:7: name: a name holds no control characters (escapes, tabs, line ends), got 'a\\x1b[2Jb'"],
    ),
    (
        'name: "a\\nb"\n' + HEAD + "  s: {script: a.py}\n",
        ["1:7: name: a name holds no control characters (escapes, tabs, line ends), got 'a\\nb'"],
    ),
    (
        HEAD + '  s: {script: a.py, "x\\e[2J": 1, inputs: {x: "\\e]0;\\a"}}\n',
        [
            "3:21: steps.s: unknown key 'x\\x1b[2J'; known here: 'type', 'script', 'source_dir', 'module', 'image',"
            " 'entrypoint', 'args', 'env', 'inputs', 'outputs', 'hyperparameters', 'depends_on', 'instance_type',"
            " 'instance_count', 'checkpoints', 'transform', 'credentials', 'resources', 'timeout', 'stop_grace'"
            " and 3 more",
            "3:46: steps.s.inputs.x: no file or directory '\\x1b]0;\\x07' (looked for \\x1b]0;\\x07)",
        ],
    ),
    (
        HEAD + "  s: {script: ../a.py, source_dir: src}\n",
        ["3:15: steps.s.script: '../a.py' does not lie inside source_dir 'src'"],
    ),
    (
        HEAD
        + "  t: {script: a.py, type: training, args: [x], inputs: {c: {source: a.py, path: /opt/ml/processing/c}}}\n",
        [
            "3:37: steps.t.args: is for processing steps; a training step takes 'hyperparameters'",
            "3:75: steps.t.inputs.c.path: is fixed in a training step: /opt/ml/input/data/c;"
            " remove it, or rename the channel",
        ],
    ),
    (
        HEAD
        + "  t:\n    type: training\n    script: a.py\n    outputs: {model: /a}\n    inputs:\n"
        + "      c: {source: a.py, path: /a}\n      d: {source: a.py, path: /opt/ml/input/data/d}\n"
        + "      e: {source: a.py, path: 5}\n",
        [
            "6:22: steps.t.outputs.model.path: a training step's output directories are fixed;"
            " only 'allow_empty' can be set",
            "8:25: steps.t.inputs.c.path: is fixed in a training step: /opt/ml/input/data/c;"
            " remove it, or rename the channel",
            "9:25: steps.t.inputs.d.path: is fixed in a training step: /opt/ml/input/data/d;"
            " remove it, or rename the channel",
            "10:25: steps.t.inputs.e.path: is fixed in a training step: /opt/ml/input/data/e;"
            " remove it, or rename the channel",
        ],
    ),
    (
        HEAD + "  t: {type: transform, outputs: {output: /a}, inputs: {data: {source: a.py, path: /a}}}\n",
        [
            "3:42: steps.t.outputs.output.path: a transform step's output directory is fixed;"
            " only 'allow_empty' can be set",
            "3:77: steps.t.inputs.data.path: cannot be set: the data is posted to the server, which has no path for it;"
            " remove it",
        ],
    ),
    (
        HEAD
        + "  t: {script: a.py, type: training, env: {SAGEMAKER_PROGRAM: b.py}}\n"
        + "  u: {script: a.py, type: training, env: {SAGEMAKER_PROGRAM: a.py}}\n",
        [
            "3:43: steps.t.env.SAGEMAKER_PROGRAM: the training toolkit would run 'b.py' instead of the script;"
            " remove it",
        ],
    ),
    (
        HEAD + "  t: {script: a.py, type: training, outputs: {modl: , output: /opt/ml/processing/o}}\n",
        [
            "3:47: steps.t.outputs.modl: a training step has the outputs 'model' and 'output' and no others"
            " (did you mean 'model'?)",
            "3:55: steps.t.outputs.output: a training step's output directories are fixed;"
            " only 'allow_empty' can be set",
        ],
    ),
    (
        HEAD
        + "  a: {script: a.py, outputs: [o], inputs: {x: {from: c.o}}}\n"
        + "  b: {script: a.py, outputs: [o], inputs: {x: {from: a.o}}}\n"
        + "  c: {script: a.py, outputs: [o], depends_on: [b]}\n"
        + "  d: {script: a.py, outputs: [o], depends_on: [e, c]}\n"
        + "  e: {script: a.py, outputs: [o], depends_on: [d]}\n",
        [
            "3:54: steps.a.inputs.x: cycle: a -> b -> c -> a",
            "6:48: steps.d.depends_on: cycle: d -> e -> d",
        ],
    ),
    # Everything at once, in the order of the file, and nothing that only follows from another fault.
    (
        "name: 5\n"
        "image: [x]\n"
        "steps:\n"
        "  one:\n"
        "    script: gone.py\n"
        "    type: traning\n"
        "    hyperparameters: {a: 1}\n"
        "    outputs: {ok: , 'b d': }\n"
        "  two:\n"
        "    script: a.py\n"
        "    timeout: x\n"
        "    inputs:\n"
        "      i: {from: one.ok}\n"
        "      j: {from: one.zzz}\n"
        "      k: {from: oen.ok}\n"
        "      l: 5\n"
        "  three: 3\n"
        "  four: {script: a.py, inputs: {i: {from: three.x}, j: {from: two.x}}}\n",
        [
            "1:7: name: expected text, got the number 5; put it in quotes: '5'",
            "2:1: image: expected text, got a list",
            "5:13: steps.one.script: no file 'gone.py' (looked for gone.py)",
            "6:11: steps.one.type: expected processing, training or transform, got 'traning'"
            " (did you mean 'training'?)",
            "8:21: steps.one.outputs.b d: 'b d' is not a name for data: 1 to 255 letters, digits, '_', '.' and '-'",
            "11:14: steps.two.timeout: expected seconds, or a text as '90s', '5m', '1h'; got 'x'",
            "15:17: steps.two.inputs.k: no step 'oen' (did you mean 'one'?)",
            "16:10: steps.two.inputs.l: expected a host path or {from: step.output}, got the number 5",
            "17:10: steps.three: expected a mapping, got the number 3",
        ],
    ),
]


@pytest.mark.parametrize(("text", "lines"), WHOLE, ids=[lines[0] for _, lines in WHOLE])
def test_a_faulty_file(refuse: Refuse, text: str, lines: list[str]) -> None:
    assert refuse(text) == [f"pipeline.yaml:{line}" for line in lines]


def test_data_that_cannot_be_used(refuse: Refuse, project: Path) -> None:
    os.mkfifo(project / "fifo")
    (project / "loop").symlink_to("loop")
    lines = refuse(
        f"""\
        image: python
        steps:
          s:
            script: a.py
            inputs:
              a: fifo
              b: loop
              c: {"x" * 300}
              d: a.py/inner
              e: ~nobody-of-that-name/x
        """
    )
    assert [line.split(": ", 2)[2] for line in lines] == [
        "'fifo' is neither a file nor a directory",
        "'loop' cannot be used: Too many levels of symbolic links",
        f"'{'x' * 300}' cannot be used: File name too long",
        "'a.py/inner' cannot be used: Not a directory",
        "no file or directory '~nobody-of-that-name/x' (looked for ~nobody-of-that-name/x)",
    ]


def test_data_that_may_not_be_read(refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests may run as root, to whom nothing is closed.
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("raw"))
    lines = refuse("image: python\nsteps: {s: {script: a.py, inputs: {x: data/raw}}}\n")
    assert lines == ["pipeline.yaml:2:39: steps.s.inputs.x: 'data/raw' may not be read by this user"]


def test_thousands_of_faults_are_counted_and_the_first_of_them_shown(load_text: Callable[..., object]) -> None:
    lines = [f"  step_{n:04}: {{script: a.py, inputs: {{x: {{from: stp_{n:04}.o}}}}}}" for n in range(3000)]
    with pytest.raises(SpecError) as caught:
        load_text("image: python\nsteps:\n" + "\n".join(lines))
    shown = str(caught.value).splitlines()
    assert len(caught.value.problems) == 3000
    assert len(shown) == SpecError.SHOWN + 1
    assert "(did you mean 'step_0000'?)" in shown[0]
    assert shown[-1] == "... and 2,800 more"


def test_a_file_s_name_may_hold_anything(load_text: Callable[..., Pipeline]) -> None:
    pipeline = load_text("image: python\nsteps: {s: {script: a.py}}", name="a\n\x1bb.yaml")
    assert pipeline.spec.name == "a\\n\\x1bb"


@pytest.mark.parametrize("content", ["file", "link", "closed"])
def test_a_directory_is_not_empty_that_has_or_may_have_a_file_somewhere(
    load_text: Callable[..., Pipeline], project: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    deep = project / "data" / "hollow" / "a" / "b"
    if content == "file":
        (deep / "rows.csv").touch()
    elif content == "link":
        (deep / "raw").symlink_to("../../../raw")
    else:
        original = Path.iterdir

        def iterdir(path: Path) -> Iterator[Path]:
            if path == deep:  # the tests may run as root, to whom nothing is closed
                raise PermissionError(13, "Permission denied", str(path))
            return original(path)

        monkeypatch.setattr(Path, "iterdir", iterdir)
    assert load_text("image: python\nsteps: {s: {script: a.py, inputs: {x: data/hollow}}}\n")
