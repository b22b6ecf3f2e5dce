"""What must hold for every text, not only for those that somebody thought of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import SpecError
from runner.spec import load
from runner.spec.document import read
from runner.spec.scalar import Literal, plain, resolve

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
values = st.recursive(
    texts | st.booleans() | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
steps = {"s": {"entrypoint": ["x"], "image": "python"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@given(st.dictionaries(texts, values, min_size=1))
def test_json_reads_as_the_standard_library_reads_it(folder: Path, value: object) -> None:
    path = folder / "f.json"
    path.write_text(json.dumps(value))
    assert plain(read(path).data) == value


@given(st.from_regex(r"[-+]?[0-9]{1,12}(\.[0-9]{0,6})?([eE][-+]?[0-9]{1,2})?", fullmatch=True))
def test_every_number_keeps_its_characters(text: str) -> None:
    found = resolve(text)
    assert isinstance(found, Literal)
    assert found.text == text
    assert found.value == float(text)


@pytest.mark.parametrize("form", ["json", "yaml"])
@given(value=texts)
def test_environment_values_arrive_as_written(folder: Path, form: str, value: str) -> None:
    data = {"env": {"V": value}, "steps": steps}
    path = folder / f"pipeline.{form}"
    text = json.dumps(data) if form == "json" else yaml.safe_dump(data)
    path.write_bytes(text.encode())
    assert load(path).spec.env == {"V": value}


@given(st.from_regex(r"[A-Za-z0-9.+-]{1,12}", fullmatch=True).filter(lambda text: text not in ("-", "---", "...")))
def test_unquoted_words_and_numbers_arrive_as_written(folder: Path, word: str) -> None:
    path = folder / "plain.yaml"
    path.write_text(f"env:\n  V: {word}\nsteps: {json.dumps(steps)}\n")
    if resolve(word) is None:
        with pytest.raises(SpecError, match="has no value"):
            load(path)
    else:
        assert load(path).spec.env == {"V": word}


@given(st.binary(max_size=60) | texts.map(str.encode))
def test_any_bytes_are_read_or_refused_in_words(folder: Path, content: bytes) -> None:
    for name in ("any.yaml", "any.json"):
        path = folder / name
        path.write_bytes(content)
        try:
            load(path)
        except SpecError as error:
            assert all(str(problem) for problem in error.problems)
        else:
            pytest.fail(f"{content!r} is no pipeline")
