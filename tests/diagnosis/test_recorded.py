"""The diagnosis of failures that really happened, as `record.py` kept them; what each must be is in `expected.json`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from diagnosis.cases import CODE, RECORDED, failure, job, table
from diagnosis.record import record
from diagnosis.scripts import IN, SCRIPTS

from runner.data.diagnosis import Diagnosis, Failure, Kind, Place, diagnose
from runner.data.tables import Column, Family
from runner.engine.base import Verdict
from runner.sagemaker.job import CodeFile, HostData, InputMount, Limits, StepData

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())


def test_every_script_was_recorded_and_is_judged() -> None:
    assert {path.stem for path in RECORDED.glob("*.txt")} == set(SCRIPTS) == set(EXPECTED)
    assert len(EXPECTED) >= 80
    assert {each["kind"] for each in EXPECTED.values()} == set(Kind) - {Kind.TIME_OUT}  # a verdict: no log tells it


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded(name: str, tmp_path: Path) -> None:
    found = diagnose(failure(name, tmp_path))
    line = found.place.line if found.place is not None else None
    told = {"kind": found.kind, "line": line, "sentence": found.sentence, "fix": found.fix}
    assert told == EXPECTED[name]
    if found.place is not None and not found.place.file.startswith("/tmp/part.py"):
        assert found.place == Place(str(tmp_path / "consume.py"), found.place.line, host=True)


LIVE = (
    "column-getitem", "column-list-none", "column-usecols", "column-sklearn-names", "column-xgboost-names",
    "key-environ", "file-near", "file-no-input", "format-latin", "format-parquet", "type-float-numpy",
    "args-unknown-near", "args-required", "signature-too-many", "import-known", "syntax-bracket", "memory-python",
    "network-address", "permission-write", "other-pool", "other-group-nested", "other-ignored",
)  # fmt: skip


@pytest.mark.docker
def test_the_images_still_say_what_was_recorded(tmp_path: Path) -> None:
    """Run now, in the images of now: the same diagnosis as of the recorded text."""
    record(LIVE, tmp_path)
    for name in LIVE:
        code, _, log = (tmp_path / f"{name}.txt").read_bytes().partition(b"\n")
        found = diagnose(dataclasses.replace(failure(name, tmp_path), exit_code=int(code), log=log))
        line = found.place.line if found.place is not None else None
        assert {"kind": found.kind, "line": line, "sentence": found.sentence, "fix": found.fix} == EXPECTED[name], name


# what the recorded failures become when more or less is known


def sentence(name: str, **known: object) -> str:
    return diagnose(failure(name, **known)).sentence  # type: ignore[arg-type]


def test_without_schemas_no_producer_is_named() -> None:
    assert (
        sentence("column-getitem", schemas=lambda _: ())
        == "the script needs column 'label', which its table does not have"
    )


def test_a_row_or_a_dict_is_no_table_where_the_schemas_do_not_say_so(tmp_path: Path) -> None:
    """`row['label']`, `df.label`, `config['label']`: a column only if no table has it, and one has nearly that name."""
    for name in ("column-apply-row", "column-attribute", "column-dictreader"):
        assert diagnose(failure(name, tmp_path)).kind is Kind.MISSING_COLUMN
        unlike = diagnose(failure(name, tmp_path, schemas=lambda _: (table("x.csv", "a", "b"),)))
        assert unlike.kind is Kind.EXIT_CODE
        assert unlike.sentence.startswith(("KeyError: 'label'", "AttributeError: 'DataFrame' object has no"))
        assert diagnose(failure(name, tmp_path, schemas=lambda _: ())).kind is Kind.EXIT_CODE
    assert diagnose(failure("key-dict", tmp_path)).kind is Kind.EXIT_CODE


def test_schemas_are_asked_for_only_where_a_column_is_missing() -> None:
    def never(name: str) -> tuple[()]:
        raise AssertionError(name)

    for name in ("import-known", "key-environ", "syntax-bracket", "args-required", "file-host", "other-zero"):
        diagnose(failure(name, schemas=never, files=never))


def test_only_what_the_script_opened_is_looked_at_if_the_trace_says_so() -> None:
    def schemas(name: str) -> tuple[object, ...]:
        return (table("other.csv", "label"), table("train.csv", "labels")) if name == "DATA" else ()

    assert "wrote 'labels' (nearest" in sentence(
        "column-getitem", schemas=schemas, trace={"reads": [f"{IN}/train.csv"]}
    )
    assert "is in other.csv of the producer" in sentence(
        "column-getitem", schemas=schemas, trace={"reads": [f"{IN}/other.csv"]}
    )


def test_tables_of_several_inputs_are_told_apart() -> None:
    two = job(
        inputs=(
            InputMount("code", CODE, CodeFile("/nowhere/consume.py")),
            InputMount("train", "/opt/ml/input/data/train", StepData("prep", "train")),
            InputMount("raw", "/opt/ml/input/data/raw", HostData("/data/raw")),
        )
    )
    tables = {"train": [table("a.csv", "labels", "id"), table("b.csv", "labels", "id")], "raw": [table("r.csv", "x")]}
    found = diagnose(failure("column-getitem", job=two, schemas=lambda name: tables.get(name, ())))
    assert found.sentence == (
        "the consumer needs column 'label'; the producer 'prep' wrote 'labels', 'id'; input 'raw' has 'x' "
        "(nearest: 'labels')"
    )
    assert found.details == (
        "looked at /opt/ml/input/data/train/a.csv, /opt/ml/input/data/train/b.csv, /opt/ml/input/data/raw/r.csv",
    )


def test_a_hundred_thousand_columns_take_no_time_and_no_page() -> None:
    names = [f"column_{number}" for number in range(100_000)]
    found = diagnose(failure("column-getitem", schemas=lambda _: (table("wide.csv", *names),)))
    assert found.kind is Kind.MISSING_COLUMN
    assert "and 99,980 more" in found.sentence
    assert len(found.sentence) < 800


def test_the_column_that_holds_a_text_is_named() -> None:
    city = Column(name="city", family=Family.CATEGORY, values=("Bonn", "Ulm"))
    schema = dataclasses.replace(table("train.csv"), columns=(city,))
    found = diagnose(failure("type-sklearn-string", schemas=lambda name: (schema,) if name == "DATA" else ()))
    assert found.details == ("column 'city' of train.csv in the producer 'prep' has 'Bonn'",)


def test_the_encoding_of_the_file_is_named() -> None:
    latin = table("latin.csv", "id", encoding="latin-1")
    found = diagnose(failure("format-latin", schemas=lambda name: (latin,) if name == "DATA" else ()))
    assert found.sentence.startswith(
        "'latin.csv' of the producer 'prep' is read as UTF-8, and byte 0xf6 at position 11"
    )
    assert found.sentence.endswith(" is not; it looks like latin-1")
    assert found.fix == "read it with encoding='latin-1', or write it as UTF-8"


def test_an_input_that_is_empty_and_one_that_has_the_file_after_all() -> None:
    assert sentence("file-near", files=lambda _: ()) == f"'trian.csv' is not in input 'DATA' ({IN})"
    there = sentence("file-near", files=lambda _: ("trian.csv",))
    assert there == f"'trian.csv' lies in input 'DATA' on the host, but the script did not find it at {IN}/trian.csv"


def test_a_module_beside_the_script(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").touch()
    found = diagnose(failure("import-beside", tmp_path))
    assert found.sentence == (
        "module 'helpers' lies beside the script on the host, and `script` alone does not send it along"
    )
    assert found.fix == f"give the step `source_dir: {tmp_path.name}`, which holds both"


def test_with_a_requirements_file_the_cure_is_a_line_in_it() -> None:
    with_file = job(image="python", requirements="python")
    assert diagnose(failure("import-yaml", job=with_file)).fix.endswith("or add it to requirements.txt (as PyYAML)")


def test_hyperparameters_are_called_so() -> None:
    training = job(step_type="training")
    assert diagnose(failure("args-required", job=training)).fix == "add `label: ...` to the step's `hyperparameters`"


def test_with_a_network_a_failed_connection_is_only_that() -> None:
    for name in ("network-name", "network-boto", "network-address"):
        found = diagnose(failure(name, job=job(network="bridge")))
        assert found.kind is Kind.NETWORK
        assert "network: none" not in found.sentence + found.fix


def test_what_was_reached_for_comes_from_the_trace() -> None:
    known = sentence("network-address", trace={"connections": ["10.1.2.3:80"]})
    assert known == "the script tried to reach 10.1.2.3:80, and the step has `network: none`"


# verdicts that say it by themselves


def ended(verdict: Verdict, log: bytes = b"", **fields: object) -> Diagnosis:
    given = {"job": job(), "exit_code": 137, "reason": "", **fields}
    return diagnose(Failure(verdict=verdict, log=log, **given))  # type: ignore[arg-type]


def test_killed_for_memory() -> None:
    limited = ended(Verdict.OOM, job=job(limits=Limits(memory=512 << 20)))
    assert (limited.kind, limited.sentence) == (Kind.MEMORY, "the step was killed for memory at its limit of 512 MiB")
    assert limited.fix == "use less at a time, or raise `memory` in the step's `resources`"
    assert ended(Verdict.OOM).sentence == "the step was killed for memory, as the machine has no more"
    child = ended(Verdict.EXIT, exit_code=1, reason="exit 1; a process of this step was killed for memory")
    assert (child.kind, child.sentence[:31]) == (Kind.MEMORY, "a process of the step was kille")


def test_out_of_time_says_where_it_hung_only_if_somebody_looked(tmp_path: Path) -> None:
    slow = job(limits=Limits(timeout=5.0))
    found = ended(Verdict.TIMEOUT, job=slow)
    assert (found.kind, found.place) == (Kind.TIME_OUT, None)
    assert found.sentence == "the script did not end within its time-out of 5 s"
    dump = (
        "Timeout (0:00:04)!\nThread 0x00007f1 (most recent call first):\n"
        '  File "/usr/lib/python3.11/socket.py", line 706 in readinto\n'
        f'  File "{CODE}/consume.py", line 7 in load\n  File "{CODE}/consume.py", line 9 in <module>\n'
    )
    assert ended(Verdict.TIMEOUT, dump.encode(), job=slow).place == Place(f"{CODE}/consume.py", 7, host=False)


def test_a_traceback_of_a_script_that_exited_0_is_no_cause() -> None:
    found = diagnose(failure("column-getitem", exit_code=0, verdict=Verdict.MISSING_OUTPUT, reason="wrote nothing"))
    assert (found.kind, found.sentence.partition(";")[0]) == (Kind.EXIT_CODE, "wrote nothing")


# words without a traceback, and some that take an odd machine to happen


def said(log: str, code: int = 1, **fields: object) -> tuple[str, str, str]:
    found = ended(Verdict.EXIT, log.encode(), exit_code=code, reason=f"exit {code}", **fields)
    return found.kind.value, found.sentence, found.fix


def thrown(line: str, source: str = "x()", **fields: object) -> tuple[str, str, str]:
    frame = f'  File "{CODE}/consume.py", line 1, in <module>\n    {source}\n'
    return said(f"Traceback (most recent call last):\n{frame}{line}\n", **fields)


def test_a_script_or_a_module_that_python_cannot_find() -> None:
    assert said(f"python3: can't open file '{CODE}/trian.py': [Errno 2] No such file or directory\n", 2) == (
        "missing-file", f"'trian.py' is not in the step's code ({CODE})", "",
    )  # fmt: skip
    kind, words, _ = said("/opt/venv/bin/python: No module named trainer\n")
    assert (kind, words) == ("import", "module 'trainer' is not in image 'python'")


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (
            "Usage: x.py [OPTIONS]\nTry 'x.py --help' for help.\n\nError: No such option: --epochs\n",
            "the script does not know '--epochs'",
        ),
        (
            "Usage: x.py [OPTIONS]\n\nError: Missing option '--label'.\n",
            "the script does not take its arguments: Missing option '--label'.",
        ),
    ],
)
def test_clicks_words(log: str, sentence: str) -> None:
    assert said(log, 2)[:2] == ("arguments", sentence)
    assert said(log, 1)[0] == "exit-code"  # neither argparse nor click ends so


def test_a_read_only_input_and_a_full_shared_memory() -> None:
    read_only = job(inputs=(InputMount("DATA", IN, StepData("prep", "out"), private="read-only"),))
    assert thrown(f"OSError: [Errno 30] Read-only file system: '{IN}/x'", job=read_only) == (
        "permission", f"input 'DATA' is read-only here, and the script writes '{IN}/x'",
        "write `private: copy` for this input",
    )  # fmt: skip
    full = thrown("OSError: [Errno 28] No space left on device: '/dev/shm/psm_1'")
    assert full == (
        "memory",
        "/dev/shm is full: the step has Docker's 64 MiB",
        "give the step `resources: {shm_size: ...}`",
    )


def test_imports_that_fail_in_other_ways() -> None:
    library = "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory"
    assert thrown(library)[1] == "image 'python' does not have the system library libgomp.so.1"
    circle = (
        f"ImportError: cannot import name 'f' from partially initialized module 'a' (most likely due) ({CODE}/a.py)"
    )
    assert thrown(circle)[1] == "'a' imports itself in a circle before it has 'f'"
    assert thrown(f"ImportError: cannot import name 'f' from 'a' ({CODE}/a.py)")[1:] == ("'a' has no 'f'", "")
    hidden = "ModuleNotFoundError: No module named 'queue.x'; 'queue' is not a package"
    assert thrown(hidden)[2] == "look for a file queue.py that hides the package of that name"


def test_memory_that_only_the_log_tells_of() -> None:
    aborted = "terminate called after throwing an instance of 'std::bad_alloc'\n"
    limited = job(limits=Limits(memory=1 << 30))
    assert said(aborted, 134, job=limited)[:2] == (
        "memory", "the script asked for more memory than it can have: std::bad_alloc; the step's limit is 1 GiB",
    )  # fmt: skip
    assert thrown("RuntimeError: DataLoader: insufficient shared memory (shm)")[0] == "memory"


def test_what_a_person_wrote_is_not_taken_for_more_than_it_says() -> None:
    for line in (
        f"ValueError: label not found in {IN}/train.csv",
        "TypeError: the label must not be empty",
        "KeyError: 'label'",
        "KeyError: 3",
        "RuntimeError: connection to the truth lost",
    ):
        assert thrown(line)[:2] == ("exit-code", line)


# what the producer wrote, and the script did not expect


@pytest.mark.parametrize(("name", "word"), [("column-getitem", "sep"), ("column-dictreader", "delimiter")])
def test_a_table_that_is_separated_otherwise(name: str, word: str, tmp_path: Path) -> None:
    semicolons = (table("train.csv", "id", "label", delimiter=";"),)
    found = diagnose(failure(name, tmp_path, schemas=lambda _: semicolons))
    assert found.kind is Kind.MISSING_COLUMN
    assert found.sentence == (
        "column 'label' is in train.csv of the producer 'prep', which is separated by ';'; the script reads it as if "
        "by commas, so that all its columns are one"
    )
    assert found.fix == f"read it with {word}=';', or let 'prep' write commas"


def test_a_script_that_says_by_what_its_table_is_separated_is_not_told_so(tmp_path: Path) -> None:
    known = failure("column-getitem", tmp_path, schemas=lambda _: (table("train.csv", "id", "label", delimiter=";"),))
    script = tmp_path / "consume.py"
    script.write_text(f"{script.read_text()}# read with sep=';'\n")
    assert "but no longer in the table" in diagnose(known).sentence
    commas = failure("column-getitem", tmp_path, schemas=lambda _: (table("train.csv", "id", "label", delimiter=","),))
    assert "but no longer in the table" in diagnose(commas).sentence


def test_half_a_parquet_is_to_be_written_again_by_whoever_wrote_it(tmp_path: Path) -> None:
    half = (table("half.parquet", fault="half-written: parquet ends with the mark PAR1, and this ends without it"),)
    made = failure("format-parquet", tmp_path, schemas=lambda _: half)
    assert diagnose(made).fix == "let 'prep' close the file when all is written (`with ParquetWriter(...)`)"
    given = job(inputs=(InputMount("code", CODE, CodeFile("/x/consume.py")), InputMount("DATA", IN, HostData("/d"))))
    found = diagnose(failure("format-parquet", job=given, schemas=lambda _: half))
    assert found.fix == "get or write the file again: the one on the host is not whole"
    assert "(half-written: " in found.sentence


def test_an_input_that_holds_the_program_is_no_data() -> None:
    """Neither among the step's inputs, nor among the files that it may have been about."""
    program = InputMount("starter", "/opt/ml/processing/input/starter", HostData("/x"))
    data = InputMount("DATA", IN, StepData("prep", "out"))
    known = failure(
        "file-no-input",
        job=job(inputs=(data, program), entrypoint=("python3", f"{program.target}/start.py")),
    )
    assert known.data == (data,)
    assert "starter" not in diagnose(known).sentence
    assert "starter" in diagnose(dataclasses.replace(known, job=job(inputs=(data, program)))).sentence
