"""Contract 1, the limits of the API: what exceeds one is refused with --strict, and what is at the limit runs."""

from __future__ import annotations

from typing import Any

from conformance.cases import SEEN, Case, Ran
from conformance.ways import cli, nothing_started, steps

WORD = "w" * 256
DEEP = "/opt/ml/processing/" + "/".join(["d" * 78] * 3)
"""A path of 255 characters."""
FILES = {"s.py": "", "data/a.csv": "a"}


def strict(point: str, step: dict[str, Any], *places: str) -> Case:
    """A step that exceeds a limit: `places` begin the lines of the refusal, behind `pipeline.yaml:LINE:COLUMN:`."""

    def check(ran: Ran) -> None:
        *lines, remedy = ran.notices
        assert remedy == "SageMaker would refuse this. Without --strict it is a warning, and the pipeline runs here."
        assert [line.split(" ", 1)[1] for line in lines] == list(places)
        assert all(line.startswith("pipeline.yaml:2:") for line in lines)
        nothing_started(ran)

    return Case(
        name=f"{point}, above it", points=(point,), files=FILES, exit_code=2, check=check,
        pipeline=steps(s={"script": "s.py", **step}), run=cli("run", "--strict", "pipeline.yaml"),
    )  # fmt: skip


def warned(ran: Ran) -> None:
    line = "steps.s.args: 101 words; SageMaker takes at most 100 (ContainerArguments)"
    assert any(note.endswith(line) for note in ran.notices)
    assert ran.seen()["argv"] == ["x"] * 101


def in_order(ran: Ran) -> None:
    """The same in `validate`, where it is a warning: the file is valid."""
    *lines, verdict = ran.notices
    assert [line.split(":")[1] for line in lines] == ["4", "5", "5"]
    assert verdict == "pipeline.yaml: valid, 1 step, 3 warnings; with --strict not valid"


AT_THE_LIMIT = (
    SEEN
    + """
ins = [os.path.join(folder, n) for folder, _, names in os.walk("/opt/ml/processing") for n in names if n == "a.csv"]
outs = [f"/opt/ml/processing/output/{n}" for n in ["out", *"bcdefghi"]] + [sys.argv[1]]
for path in outs:
    open(path + "/f", "w").close()
own = {key: value for key, value in os.environ.items() if key.startswith("V_")}
tell(argv=sys.argv[2:], env=own, inputs=sorted(map(len, ins)))
"""
)
OUTPUT = DEEP + "o"
MANY = {f"V_{number:0254}": WORD for number in range(100)}


def at_the_limit(ran: Ran) -> None:
    seen = ran.seen()
    assert seen["argv"] == [WORD] * 99
    assert seen["env"] == MANY
    assert len(seen["inputs"]) == 9
    assert max(seen["inputs"]) == 256 + len("/a.csv")
    assert len(list((ran.root / "steps" / "s" / "outputs").iterdir())) == 10
    assert (ran.output(name="deep") / "f").is_file()


CASES = [
    strict(
        "1.limit.inputs", {"inputs": {f"i{number}": "data" for number in range(10)}},
        "steps.s.inputs: 10 inputs and the code, which counts as one; SageMaker takes at most 10 (ProcessingInputs)",
    ),
    strict(
        "1.limit.outputs", {"outputs": [f"o{number}" for number in range(11)]},
        "steps.s.outputs: 11 outputs; SageMaker takes at most 10 (ProcessingOutputConfig.Outputs)",
    ),
    strict(
        "1.limit.words", {"args": ["x"] * 99 + ["", WORD + "w"], "entrypoint": ["e"] * 101},
        "steps.s.args: 101 words; SageMaker takes at most 100 (ContainerArguments)",
        "steps.s.args: word 100 is empty; SageMaker takes no empty words (ContainerArguments)",
        f"steps.s.args: word 101, '{'w' * 30}...', has 257 characters; SageMaker takes at most 256"
        " (ContainerArguments)",
        "steps.s.entrypoint: 101 words; SageMaker takes at most 100 (ContainerEntrypoint)",
    ),
    strict(
        "1.limit.environment", {"env": {**{f"V{number}": "x" for number in range(99)}, "L": WORD + "w", "K" * 257: ""}},
        "steps.s.env: 101 variables; SageMaker takes at most 100 (Environment)",
        "steps.s.env.L: the value has 257 characters; SageMaker takes at most 256 (Environment)",
        f"steps.s.env.{'K' * 257}: the name has 257 characters; SageMaker takes at most 256 (Environment)",
    ),
    strict(
        "1.limit.localpath",
        {"inputs": {"i": {"source": "data", "path": DEEP + "ii"}}, "outputs": {"o": DEEP + "oo"}},
        "steps.s.inputs.i: the path has 257 characters; SageMaker takes at most 256 (S3Input.LocalPath)",
        "steps.s.outputs.o: the path has 257 characters; SageMaker takes at most 256 (S3Output.LocalPath)",
    ),
    strict(
        "1.limit.runtime", {"timeout": 777601},
        "steps.s.timeout: 777601 seconds; SageMaker takes at most 777600 (StoppingCondition.MaxRuntimeInSeconds)",
    ),
    strict(
        "1.limit.instances", {"instance_count": 101},
        "steps.s.instance_count: 101 instances; SageMaker takes at most 100 (ClusterConfig.InstanceCount)",
    ),
    strict(
        "2.limit.environment", {"type": "training", "env": {f"V_{n}": "x" for n in range(100)} | {"V": "x" * 513}},
        "steps.s.env: 101 variables; SageMaker takes at most 100 (Environment)",
        "steps.s.env.V: the value has 513 characters; SageMaker takes at most 512 (Environment)",
    ),
    strict(
        "2.limit.hyperparameters",
        {"type": "training", "hyperparameters": {f"h{n}": 1 for n in range(95)} | {"h": "x" * 2501}},
        "steps.s.hyperparameters: 96 hyperparameters and the 5 that SageMaker's SDK adds for a script;"
        " SageMaker takes at most 100 (HyperParameters)",
        "steps.s.hyperparameters.h: the value has 2501 characters; SageMaker takes at most 2500 (HyperParameters)",
    ),
    Case(
        name="1.limit, at every limit", files={"s.py": AT_THE_LIMIT, "data/a.csv": "a"}, check=at_the_limit,
        points=("1.limit.inputs", "1.limit.outputs", "1.limit.words", "1.limit.environment", "1.limit.localpath",
                "1.limit.runtime"),
        pipeline=steps(s={
            "script": "s.py", "args": [OUTPUT, *[WORD] * 99], "env": MANY, "timeout": 777600,
            "inputs": {**{f"i{n}": "data" for n in range(8)}, "deep": {"source": "data/a.csv", "path": DEEP + "i"}},
            "outputs": {**dict.fromkeys(["out", *"bcdefghi"]), "deep": OUTPUT},
        }),
    ),
    Case(
        name="1.limit, a warning without --strict", points=("1.limit.words",), check=warned,
        files={"s.py": SEEN + "tell(argv=sys.argv[1:])\n"}, run=cli("run", "pipeline.yaml"),
        pipeline=steps(s={"script": "s.py", "args": ["x"] * 101, "outputs": ["out"]}),
    ),
    Case(
        name="1.limit, validate", points=("1.limit.words", "1.limit.runtime"), check=in_order, files=FILES,
        run=cli("validate", "pipeline.yaml"),
        pipeline="image: python\nsteps:\n  s:\n    timeout: 0.1\n    args: ['" + WORD + "w', '']\n    script: s.py\n",
    ),
]  # fmt: skip
