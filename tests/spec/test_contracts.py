"""Contracts: read without an import, found by name, held against their scripts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec.contracts import (
    Contracts,
    ProcessingScriptContract,
    ScriptContract,
    TrainingScriptContract,
    disagreements,
    discover,
    read_contracts,
    unchecked,
)
from runner.spec.scripts import facts

TRAINING = '''\
"""What churn_training.py is promised."""

raise RuntimeError("a contract is never imported")
from .base_contract import TrainingScriptContract

ROOT = "/opt/ml"
CHANNELS = ROOT + "/input/data"
COMMON_ENV = {"SEED": "42"}
VERSIONS = ["pandas>=2.2", "xgboost[gpu] == 3.0"]

CHURN_TRAINING_CONTRACT: TrainingScriptContract = TrainingScriptContract(
    entry_point="churn_training.py",
    expected_input_paths={
        "train": f"{CHANNELS}/train",
        "validation": CHANNELS + "/validation/",
    },
    expected_output_paths=dict(model_output=ROOT + "/model", evaluation_output="/opt/ml/output" "/data"),
    expected_arguments=["--job_type", "eta"],
    required_env_vars=["LABEL_FIELD"] + ["ID_FIELD"],
    optional_env_vars={**COMMON_ENV, "THRESHOLD": 0.50, "NOTE": None},
    framework_requirements=VERSIONS,
    description="Fits " + "a booster.",
)
'''
YAML = """\
entry_point: churn_cleaning.py
expected_input_paths: {DATA: /opt/ml/processing/input/DATA}
expected_output_paths:
  clean: /opt/ml/processing/output/clean
expected_arguments: {job_type: training, limit: 10}
required_env_vars: [LABEL_FIELD]
optional_env_vars: {RATIO: 0.70}
framework_requirements: {pandas: ">=2"}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refusal(name: str, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_contracts(write(name, text))
    return [str(problem) for problem in caught.value.problems]


def test_a_python_contract(here) -> None:
    (found,) = read_contracts(write("churn_training_contract.py", TRAINING))
    contract = found.contract
    assert (found.name, type(contract)) == ("CHURN_TRAINING_CONTRACT", TrainingScriptContract)
    assert contract.expected_input_paths == {
        "train": "/opt/ml/input/data/train",
        "validation": "/opt/ml/input/data/validation",
    }
    assert contract.expected_output_paths == {
        "model_output": "/opt/ml/model",
        "evaluation_output": "/opt/ml/output/data",
    }
    assert contract.expected_arguments == {"job_type": None, "eta": None}
    assert contract.required_env_vars == ["LABEL_FIELD", "ID_FIELD"]
    assert contract.optional_env_vars == {"SEED": "42", "THRESHOLD": "0.50", "NOTE": None}
    assert contract.framework_requirements == {"pandas": ">=2.2", "xgboost[gpu]": "== 3.0"}
    assert contract.description == "Fits a booster."
    assert [found.line("expected_input_paths", "validation"), found.line("optional_env_vars", "SEED")] == [15, 8]


def test_a_yaml_contract(here) -> None:
    (found,) = read_contracts(write("churn_cleaning.step.yaml", YAML))
    assert (found.name, type(found.contract)) == ("churn_cleaning", ScriptContract)
    assert found.contract.expected_arguments == {"job_type": "training", "limit": "10"}
    assert found.contract.optional_env_vars == {"RATIO": "0.70"}
    assert found.line("expected_output_paths", "clean") == 4


def test_both_shapes_give_the_same_contract(here) -> None:
    text = (
        "C = ScriptContract(entry_point='churn_cleaning.py',"
        " expected_input_paths={'DATA': '/opt/ml/processing/input/DATA'},"
        " expected_output_paths={'clean': '/opt/ml/processing/output/clean'},"
        " expected_arguments={'job_type': 'training', 'limit': 10}, required_env_vars=('LABEL_FIELD',),"
        " optional_env_vars={'RATIO': 0.70}, framework_requirements={'pandas': '>=2'})\n"
    )
    (python,), (yaml,) = read_contracts(write("a_contract.py", text)), read_contracts(write("a.step.yaml", YAML))
    assert python.contract == yaml.contract


def call(**fields: str) -> str:
    """A module with one contract, a field a line."""
    lines = [f"    {name}={value}," for name, value in {"entry_point": "'a.py'", **fields}.items()]
    return "C = ProcessingScriptContract(\n" + "\n".join(lines) + "\n)\n"


FAULTS = [
    (call(input_paths="{}"), "3:5", "unknown key 'input_paths' (did you mean 'expected_input_paths'?)"),
    (
        call(entry_point="os.path.basename(x)"),
        "2:17",
        "entry_point: `os.path.basename(x)` is not literal; write a text",
    ),
    (call(entry_point="'a.sh'"), "2:17", "entry_point: expected the file name of the script, as train.py; got 'a.sh'"),
    (call(required_env_vars="{'X': '1'}"), "3:5", "required_env_vars: expected a list of names, got a mapping"),
    (call(required_env_vars="['X', 'X']"), "3:29", "required_env_vars.1: 'X' is listed twice"),
    (call(required_env_vars="['1X']"), "3:24", "'1X' is not a name for an environment variable"),
    (call(required_env_vars="['X']", optional_env_vars="{'X': ''}"), "4:29", "is also among required_env_vars"),
    (call(optional_env_vars="{'X': [1]}"), "3:24", "optional_env_vars.X: expected text, a number, true or false"),
    (call(expected_arguments="{'--a': 1, 'a': 2}"), "3:40", "expected_arguments.a: 'a' is given twice"),
    (
        call(expected_arguments="'a b'"),
        "3:24",
        "expected a mapping from name to default, or a list of names; got 'a b'",
    ),
    (call(expected_input_paths="{'x': '/tmp/x'}"), "3:32", "begins with /opt/ml/, got '/tmp/x'"),
    (
        call(expected_input_paths="{'x': '/opt/ml/model'}"),
        "3:32",
        "begin with /opt/ml/processing/ here, got '/opt/ml/model'",
    ),
    (
        call(expected_input_paths="{'x': '/opt/ml/processing/../x'}"),
        "3:32",
        "write the path without '.', '..' and '//'",
    ),
    (call(expected_input_paths="{'x': name}"), "3:32", "expected_input_paths: `name` is not literal"),
    (call(expected_input_paths="{'x': '/opt/ml/processing/x', 'x': ''}"), "3:56", "duplicate key 'x': first given at"),
    (call(expected_input_paths="{'é': 1, **rest}"), "3:37", "`rest` is not literal"),
    (call(framework_requirements="['>=2']"), "3:29", "expected a requirement, as pandas>=2; got '>=2'"),
    ("C = ScriptContract('a.py')\n", "1:20", "write the name of the field before it"),
    ("C = ScriptContract()\n", "1:5", "the contract is empty"),
    ("C = ScriptContract(description='x')\n", "1:1", "the key 'entry_point' is missing"),
    ("A = [B, B]\nB = [A, A]\nC = ScriptContract(entry_point='a.py', required_env_vars=A)\n", "", "too deeply"),
    (
        "x0 = ['A']\n"
        + "".join(f"x{i} = [*x{i - 1}, *x{i - 1}]\n" for i in range(1, 30))
        + call(required_env_vars="x29"),
        "",
        "too many",
    ),
    ("x = 1\n", "", "holds no contract: expected NAME = ScriptContract(...)"),
    ("def f(:\n", "1:7", "not valid Python"),
]


@pytest.mark.parametrize(("text", "place", "message"), FAULTS)
def test_a_faulty_python_contract_says_where(here, text: str, place: str, message: str) -> None:
    first = refusal("a_contract.py", text)[0]
    assert first.startswith(f"a_contract.py:{place}: " if place else "a_contract.py")
    assert message in first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.step.yaml: the file is empty"),
        ("- a\n", "a.step.yaml:1:1: expected a mapping with the key 'entry_point'"),
        (
            YAML.replace("required_env_vars", "required_envs"),
            "a.step.yaml:6:1: unknown key 'required_envs' (did you mean",
        ),
        (YAML.replace("10}", "[1]}"), "a.step.yaml:5:42: expected_arguments.limit: expected text"),
        (YAML + "entry_point: b.py\n", "a.step.yaml:9:1: duplicate key 'entry_point': first given at a.step.yaml:1:1"),
    ],
)
def test_a_faulty_yaml_contract_says_where(here, text: str, message: str) -> None:
    assert refusal("a.step.yaml", text)[0].startswith(message)


def test_all_faults_are_told_at_once(here) -> None:
    assert len(refusal("a_contract.py", call(expected_input_paths="x", required_env_vars="y"))) == 2


NAMED = [
    ("xgboost_training_contract.py", "snake_case_file"),
    ("xgboosttraining_contract.py", "joined_file"),
    ("XGBoostTraining_contract.py", "pascal_case_file"),
    ("xgboost_training.step.yaml", "step_yaml"),
    ("XGBoostTraining.step.yaml", "step_yaml"),
    ("booster_contract.py", "entry_point"),
]


def contract_text(name: str, entry_point: str) -> str:
    return (
        f"entry_point: {entry_point}\n"
        if name.endswith(".yaml")
        else f"C = ScriptContract(entry_point='{entry_point}')\n"
    )


@pytest.mark.parametrize("asked", ["xgboost_training", "XGBoostTraining", "XGBoostTraining_calibration"])
@pytest.mark.parametrize(("name", "method"), NAMED)
def test_a_contract_is_found_by_its_name(here, asked: str, name: str, method: str) -> None:
    write(f"c/{name}", contract_text(name, "xgboost_training.py"))
    write("c/other_contract.py", contract_text("x", "other.py"))
    result = discover(asked, [Path("c")])
    assert (result.contract_found, result.discovery_method, result.entry_point_valid) == (True, method, True)
    assert result.contract.entry_point == "xgboost_training.py"
    assert result.contract_class.__name__ == "ScriptContract"
    assert result.error_message is None


def test_names_win_in_their_order_and_earlier_directories_over_later(here) -> None:
    for name, _ in NAMED[:4]:
        write(f"c/{name}", contract_text(name, "xgboost_training.py"))
    for name, method in NAMED[:3]:
        result = discover("xgboost_training", [Path("c")])
        assert result.discovery_method == method
        Path("c", name).unlink()
    write("d/xgboost_training_contract.py", contract_text("x", "xgboost_training.py"))
    result = discover("xgboost_training", [Path("c"), Path("d")])
    assert (result.discovery_method, result.alternatives) == ("step_yaml", (Path("d/xgboost_training_contract.py"),))


def test_a_contract_of_another_script_is_told(here) -> None:
    write("c/train_contract.py", contract_text("x", "tarin.py"))
    result = discover("train", [Path("c")])
    assert (result.contract_found, result.entry_point_valid) == (True, False)
    assert result.error_message == (
        "c/train_contract.py:1:32: entry_point: is the contract of 'tarin.py', not of 'train.py'"
    )
    assert discover("train", [Path("c")], script=Path("lib/tarin.py")).entry_point_valid


def test_what_is_not_found_says_where_it_looked(here) -> None:
    write("c/xgboost_training_contract.py", contract_text("x", "xgboost_training.py"))
    result = discover("XGBoostTrainin", [Path("c")])
    assert (result.contract_found, result.discovery_method, result.contract) == (False, "none", None)
    assert result.error_message == (
        "no contract for 'XGBoostTrainin' (did you mean 'xgboost_training'?): looked for "
        "'xgboost_trainin_contract.py', 'xgboosttrainin_contract.py', 'XGBoostTrainin_contract.py', "
        "'xgboost_trainin.step.yaml' in 'c'"
    )
    with pytest.raises(SpecError, match="nowhere: cannot be searched for contracts: No such file"):
        discover("x", [Path("nowhere")])


def test_an_unreadable_contract_is_not_found_and_says_why(here) -> None:
    write("c/train_contract.py", "C = ScriptContract(entry_point=name)\n")
    result = discover("train", [Path("c")])
    assert (result.contract_found, result.discovery_method) == (False, "snake_case_file")
    assert result.error_message.startswith("c/train_contract.py:1:32: entry_point: `name` is not literal")


def test_of_several_contracts_in_a_module_the_one_of_the_script_counts(here) -> None:
    text = contract_text("x", "a.py") + "D = ScriptContract(entry_point='train.py')\n"
    write("c/train_contract.py", text)
    assert discover("train", [Path("c")]).contract_name == "D"
    write("c/train_contract.py", text.replace("train.py", "b.py"))
    assert "holds several contracts ('C', 'D')" in discover("train", [Path("c")]).error_message


SCRIPT = """\
import argparse
import os
from pathlib import Path

INPUTS = {"DATA": "/opt/ml/processing/input/DATA"}
OUTPUTS = {"clean": str(Path("/opt/ml/processing") / "output" / "clean")}

def main(input_paths, output_paths, environ_vars, job_args):
    input_paths["DATA"], output_paths["clean"], environ_vars["LABEL_FIELD"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", choices=["training", "testing"], required=True)
    parser.add_argument("--limit", type=int, default=10)
    env = {"LABEL_FIELD": os.environ["LABEL_FIELD"], "RATIO": os.environ.get("RATIO", "0.70")}
    main(INPUTS, OUTPUTS, env, parser.parse_args())
"""


def differ(script: str = SCRIPT, contract: str = YAML, name: str = "churn_cleaning.py") -> list[tuple[str, str]]:
    (found,) = read_contracts(write("c.step.yaml", contract))
    said = disagreements(found, facts(write(name, script)))
    return [(each.kind, each.message) for each in said]


def test_a_contract_and_a_script_that_agree(here) -> None:
    assert differ() == []
    (found,) = read_contracts(Path("c.step.yaml"))
    assert unchecked(found, facts(Path("churn_cleaning.py"))) == ()


S, C = "churn_cleaning.py", "c.step.yaml"
CONFLICTS = [
    (
        {},
        {"churn_cleaning.py": "clean.py"},
        "entry point",
        f"the contract ({C}:1) is of 'clean.py', the script is '{S}' ({S})",
    ),
    (
        {"--job_type": "--job-type"},
        {},
        "argument",
        f"the contract ({C}:5) gives argument 'job_type', which the script ({S}) does not take"
        " (did you mean 'job-type'?)",
    ),
    (
        {"--job_type": "--job-type"},
        {},
        "argument",
        f"the script needs --job-type ({S}:13), which the contract ({C}:5) does not have (did you mean 'job_type'?)",
    ),
    (
        {'"training", ': ""},
        {},
        "default",
        f"the contract ({C}:5) gives argument 'job_type' the default 'training',"
        f" the script ({S}:13) takes only 'testing'",
    ),
    (
        {"default=10": "default=20"},
        {},
        "default",
        f"the contract ({C}:5) gives argument 'limit' the default '10', the script ({S}:14) has 20",
    ),
    (
        {},
        {"limit: 10": "limit: many"},
        "default",
        f"the contract ({C}:5) gives argument 'limit' the default 'many', which the script ({S}:14) cannot read as int",
    ),
    (
        {'"0.70")': '"0.8")'},
        {},
        "default",
        f"""the contract ({C}:7) gives RATIO the default '0.70', the script ({S}:15) has "0.8\"""",
    ),
    (
        {},
        {"RATIO": "RATIOS"},
        "environment",
        f"the contract ({C}:7) has environment variable RATIOS, which the script ({S}) never reads"
        " (did you mean 'RATIO'?)",
    ),
    (
        {},
        {"RATIO": "RATIOS"},
        "environment",
        f"the script reads environment variable RATIO ({S}:15), which the contract ({C}:7) does not have"
        " (did you mean 'RATIOS'?)",
    ),
    (
        {},
        {"[LABEL_FIELD]": "[]"},
        "environment",
        f"the script needs environment variable LABEL_FIELD ({S}:15), which the contract ({C}:6) does not have",
    ),
    (
        {},
        {"[LABEL_FIELD]": "[]", "{RATIO": "{LABEL_FIELD: x, RATIO"},
        "environment",
        f"the contract ({C}:7) calls LABEL_FIELD optional, the script ({S}:15) fails without it",
    ),
    (
        {'os.environ["LABEL_FIELD"]': 'os.environ.get("LABEL_FIELD", "y")'},
        {},
        "environment",
        f"""the contract ({C}:6) requires LABEL_FIELD, the script ({S}:15) goes on without it, with "y\"""",
    ),
    (
        {'input/DATA"}': 'input/DATE"}'},
        {},
        "path",
        f"the contract ({C}:2) gives input 'DATA' at /opt/ml/processing/input/DATA, which the script ({S}) never names"
        " (did you mean '/opt/ml/processing/input/DATE'?)",
    ),
    (
        {'input/DATA"}': 'input/DATE"}'},
        {},
        "path",
        f"the script names /opt/ml/processing/input/DATE ({S}:5), which is no path of the contract ({C}:1)"
        " (did you mean '/opt/ml/processing/input/DATA'?)",
    ),
    (
        {'output_paths["clean"]': 'output_paths["cleaned"]'},
        {},
        "path",
        f"main looks up output 'cleaned' ({S}:9), which the contract ({C}:3) does not have (did you mean 'clean'?)",
    ),
    (
        {'output_paths["clean"]': 'output_paths["cleaned"]'},
        {},
        "path",
        f"the contract ({C}:4) has output 'clean', which main in {S} never looks up (did you mean 'cleaned'?)",
    ),
]


@pytest.mark.parametrize(("in_script", "in_contract", "kind", "message"), CONFLICTS)
def test_every_disagreement_names_both_sides(here, in_script, in_contract, kind: str, message: str) -> None:
    script, contract = SCRIPT, YAML
    for old, new in in_script.items():
        assert old in script
        script = script.replace(old, new)
    for old, new in in_contract.items():
        assert old in contract
        contract = contract.replace(old, new)
    assert (kind, message) in differ(script, contract)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("default=10", "default=compute()"),
        ('/ "clean")', "/ name)"),
        ("    parser =", "    os.environ['SM_HOSTS'], '/opt/ml/output/message'\n    parser ="),
    ],
)
def test_nothing_is_concluded_from_what_the_text_does_not_say(here, old: str, new: str) -> None:
    assert differ(SCRIPT.replace(old, new)) == []


def test_what_could_not_be_compared_is_told(here) -> None:
    script = "import click, os\ndef main(input_paths, o, e, a):\n    list(input_paths)\nprint(os.environ)\n"
    assert differ(script) == []
    (found,) = read_contracts(Path("c.step.yaml"))
    assert unchecked(found, facts(Path(S))) == (
        f"arguments not compared in full: click reads them ({S}:1)",
        f"environment not compared in full: all of it is used at once ({S}:4)",
        f"names of inputs not compared in full: all of it is used at once ({S}:3)",
        f"paths not compared: {S} names none below /opt/ml",
    )


def test_a_processing_contract_of_the_examples_style(here) -> None:
    text = call(
        expected_input_paths="dict(model='/opt/ml/processing/input/model')",
        expected_output_paths="{'m': '/opt/ml/processing/m'}",
    )
    (found,) = read_contracts(write("a_contract.py", text))
    assert type(found.contract) is ProcessingScriptContract


def test_many_contracts_are_listed_and_read_once(here) -> None:
    for index in range(1000):
        write(f"c/step{index}_contract.py", contract_text("x", f"step{index}.py"))
    started = time.monotonic()
    known = Contracts([Path("c")])
    for index in range(1000):
        assert known.find(f"step{index}").entry_point_valid
        assert not known.find(f"other{index}x").contract_found
    assert time.monotonic() - started < 20
