"""Reading YAML and JSON: values as written, positions, and every way in which a file can be no document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from runner.errors import SpecError
from runner.spec import yamltext
from runner.spec.builder import MAX_DEPTH
from runner.spec.document import Document, read
from runner.spec.scalar import Literal, plain


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def document(tmp_path: Path, text: str | bytes, name: str = "f.yaml") -> Document:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path)


def refusal(tmp_path: Path, text: str | bytes, name: str = "f.yaml") -> str:
    with pytest.raises(SpecError) as caught:
        document(tmp_path, text, name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01 10:00:00", "2020-01-01 10:00:00"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("=", "="),
        ("0.10", Literal("0.10", 0.1)),
        ("1e3", Literal("1e3", 1000.0)),
        ("010", Literal("010", 10)),
        ("0x1F", Literal("0x1F", 31)),
        ("0o17", Literal("0o17", 15)),
        ("-0", Literal("-0", 0)),
        (".5", Literal(".5", 0.5)),
        ("-.inf", Literal("-.inf", float("-inf"))),
        ("True", Literal("True", True)),
        ("false", Literal("false", False)),
        ("~", None),
        ("", None),
        ("null", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!int 5", Literal("5", 5)),
        ("|-\n  5", "5"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_mean_what_yaml_1_2_says_and_keep_their_text(tmp_path: Path, written: str, value: object) -> None:
    assert document(tmp_path, f"a: {written}\n").data == {"a": value}


def test_the_same_is_read_with_and_without_libyaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {k: 0.10, l: [yes, 'ü', ~]}\nb:\n  <<: *x\n  k: |\n    text\n"
    fast = document(tmp_path, text)
    monkeypatch.setattr(yamltext, "_Loader", yaml.SafeLoader)
    slow = document(tmp_path, text)
    assert slow.data == fast.data
    for place in [("a", "k"), ("a", "l", 1), ("b", "l"), ("b", "k")]:
        assert slow.mark(place) == fast.mark(place)


def test_positions_of_keys_and_values(tmp_path: Path) -> None:
    found = document(tmp_path, "a:\n  ü: x\n  'long key':   [1, {b: 2}]\n")
    assert found.mark(("a", "ü")) == (2, 6)
    assert found.mark(("a", "ü"), key=True) == (2, 3)
    assert found.mark(("a", "long key", 1, "b")) == (3, 25)
    assert found.mark(("a", "long key", 0)) == (3, 18)


def test_a_place_that_is_not_written_gives_the_nearest_one_above(tmp_path: Path) -> None:
    found = document(tmp_path, "a:\n  b: text\n")
    assert found.mark(("a", "b", "source")) == (2, 6)
    assert found.mark(("a", "zzz")) == (1, 1)
    assert found.mark(("zzz",)) == (1, 1)


def test_a_name_in_a_list_is_found_by_name(tmp_path: Path) -> None:
    assert document(tmp_path, "outputs: [a, b]\n").mark(("outputs", "b")) == (1, 14)


def test_duplicate_keys_name_both_places_and_all_are_reported(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n'a': 2\n").splitlines() == [
        "f.yaml:5:3: b: duplicate key 'c': first given at f.yaml:3:3",
        "f.yaml:6:1: duplicate key 'a': first given at f.yaml:1:1",
    ]


def test_number_keys_and_text_keys_are_one(tmp_path: Path) -> None:
    assert document(tmp_path, "1: a\ntrue: b\n").data == {"1": "a", "true": "b"}
    assert "duplicate key '1'" in refusal(tmp_path, "1: a\n'1': b\n")


def test_merge_keys_own_keys_win_then_the_earlier_mapping(tmp_path: Path) -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\n"
    found = document(tmp_path, text)
    assert plain(found.data["z"]) == {"c": 3, "a": 1, "b": 1}  # type: ignore[index]
    assert found.mark(("z", "a")) == (1, 11)
    assert found.mark(("z", "c")) == (4, 6)


def test_a_quoted_merge_key_is_a_key(tmp_path: Path) -> None:
    assert document(tmp_path, "'<<': x\n").data == {"<<": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.yaml: the file is empty"),
        ("# only words\n", "f.yaml: the file is empty"),
        ("a:\n\tb: 1\n", "f.yaml:2:1: a tab indents this line; YAML allows spaces only"),
        ("a:\n  b: 1\n \tc: 2\n", "f.yaml:3:2: a tab indents this line; YAML allows spaces only"),
        (
            "a: b: c\n",
            "f.yaml:1:5: not valid YAML: a second ': ' on this line, or wrong indentation;"
            " put a value that contains ': ' in quotes",
        ),
        ("a: @x\n", "f.yaml:1:4: not valid YAML: a value cannot begin with '@'; put it in quotes"),
        (
            "a: [1,\n",
            "f.yaml:2:1: not valid YAML: while parsing a flow node (begun at 2:1): did not find expected node content",
        ),
        (
            "a: {b: 1\nc: 2\n",
            "f.yaml:2:2: not valid YAML: while parsing a flow mapping (begun at 1:4): did not find expected ',' or '}'",
        ),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here"),
        ("a: *x\n", "f.yaml:1:4: a: no anchor '&x' before this alias"),
        ("ab: &ab 1\na: *abc\n", "f.yaml:2:4: a: no anchor '&abc' before this alias (did you mean 'ab'?)"),
        ("a: &x [*x]\n", "f.yaml:1:8: a: '*x' stands inside the value that it names"),
        ("a: !Ref b\n", "f.yaml:1:4: a: the tag '!Ref' does not fit 'b' or has no meaning here"),
        ("a: !!int b\n", "f.yaml:1:4: a: the tag '!!int' does not fit 'b' or has no meaning here"),
        ("a: !!set {b}\n", "f.yaml:1:4: a: the tag 'tag:yaml.org,2002:set' has no meaning here"),
        ("? [a]\n: b\n", "f.yaml:1:3: a key must be text, not a list"),
        ("~: b\n", "f.yaml:1:1: a key is missing before ':'"),
        ("a:\n  <<: 5\n", "f.yaml:2:7: a: '<<' takes a mapping or a list of mappings"),
        ('a: "x\\0y"\n', "f.yaml:1:4: a: a NUL character is not allowed"),
        ("a: b\nc: \x07\n", "f.yaml:2:4: the character U+0007 is not allowed in YAML"),
        (b"a: b\nc: \xc3\xa9\xff\n", "f.yaml:2:5: byte 0xff is not UTF-8"),
        ("a\n".encode("utf-16"), "f.yaml:1:1: byte 0xff is not UTF-8"),
    ],
)
def test_what_is_no_yaml_document(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert refusal(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.json: the file is empty"),
        ('{\n\t"a": 1,\n\t"a": 2\n}', "f.json:3:2: duplicate key 'a': first given at"),
        ('{"a": 1,}', "f.json:1:9: not valid JSON: "),
        ("a: 1", "f.json:1:1: not valid JSON: Expecting value"),
        ('{"a": NaN}', "f.json:1:7: a: not valid JSON: NaN is not a JSON value; put it in quotes"),
        ('{"a": {\n"b": [1, -Infinity]}}', "f.json:2:10: a.b: not valid JSON: -Infinity is not a JSON value"),
        ('{"a": "\\ud800"}', "f.json:1:7: a: half of a surrogate pair is not a character"),
        ("[" * 100_000, f"f.json:1:{MAX_DEPTH + 1}: nested more than {MAX_DEPTH} levels deep"),
        ("]" + "[" * 50, "f.json:1:1: not valid JSON: Expecting value"),
    ],
)
def test_what_is_no_json_document(tmp_path: Path, text: str, expected: str) -> None:
    assert refusal(tmp_path, text, "f.json").startswith(expected)


def test_what_json_has_not_hides_no_other_fault(tmp_path: Path) -> None:
    text = '{\n"env": {\n"A": "1",\n"A": "2",\n"Y": NaN}}'
    assert refusal(tmp_path, text, "f.json").splitlines() == [
        "f.json:4:1: env: duplicate key 'A': first given at f.json:3:1",
        "f.json:5:6: env.Y: not valid JSON: NaN is not a JSON value; put it in quotes",
    ]


def test_a_number_of_any_length_is_valid_json(tmp_path: Path) -> None:
    assert document(tmp_path, '{"a": ' + "9" * 5000 + "}", "f.json").data == {"a": "9" * 5000}


def test_json_keeps_texts_positions_and_tabs(tmp_path: Path) -> None:
    text = '\t{\n\t"a": {"lr": 0.10, "u": "\\ud83d\\ude00 \\/ {[,:"},\n\t"b": [true, null, -1E5, "<<"]\n}\n'
    found = document(tmp_path, text, "f.json")
    assert plain(found.data) == json.loads(text)
    assert found.data["a"]["lr"] == Literal("0.10", 0.1)  # type: ignore[index]
    assert found.mark(("a", "lr")) == (2, 14)
    assert found.mark(("a", "lr"), key=True) == (2, 8)
    assert found.mark(("b", 2)) == (3, 20)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert document(tmp_path, b"\xef\xbb\xbfa: b\n").data == {"a": "b"}
    assert document(tmp_path, b'\xef\xbb\xbf{"a": "b"}', "f.json").data == {"a": "b"}


def test_deep_nesting_ends_in_words_not_in_a_crash(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[" * 200_000).endswith(f"nested more than {MAX_DEPTH} levels deep")
    block = "\n".join(" " * depth + "a:" for depth in range(MAX_DEPTH + 5))
    assert refusal(tmp_path, block).endswith(f"nested more than {MAX_DEPTH} levels deep")


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "aliases expand to more than 1,000,000 values" in refusal(tmp_path, "\n".join(lines))


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("a: b\n")
    (tmp_path / "locked").mkdir()
    for path, message, remedy in [
        (tmp_path / "pipelin.yaml", "no such file", "Did you mean"),
        (tmp_path / "bad.yaml", "no such file", "Check the path."),
        (tmp_path / "none" / "x.yaml", "no such file", "There is no directory"),
        (tmp_path, "is a directory", "Name the file"),
        (tmp_path / "pipeline.yaml" / "x", "cannot be read: Not a directory", ""),
    ]:
        with pytest.raises(SpecError, match=message) as caught:
            read(path)
        assert caught.value.remedy.startswith(remedy)


def test_the_file_is_named_as_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    with pytest.raises(SpecError, match=r"^none\.yaml: no such file"):
        read(Path("none.yaml"))
    with pytest.raises(SpecError) as caught:
        read(Path("../none.yaml"))
    assert str(caught.value) == f"{tmp_path}/none.yaml: no such file"
