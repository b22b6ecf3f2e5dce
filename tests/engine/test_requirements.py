"""What a `requirements.txt` asks for: collected once, by the image's own pip, and whose fault it is when it is not."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from images.private_index import PACKAGE, WHEEL, private_index, wheel

from runner.engine.base import Installation
from runner.engine.requirements_texts import fingerprint
from runner.errors import Abandoned, EnvironmentFault, RequirementsError

LINE = f"{PACKAGE}==1.0\n"


@pytest.mark.parametrize(
    ("text", "other", "matters"),
    [
        ("toolz\n", "a.py", False),
        ("-r more.txt\n", "more.txt", True),
        ("-c more.txt\n", "a.py", False),
        ("--constraint=more.txt\n", "more.txt", True),
        ("-e .\n", "a.py", True),
        ("--editable=pkg\n", "pkg/setup.py", True),
        ("./pkg\n", "pkg/setup.py", True),
        ("vendor/x.whl\n", "vendor/x.whl", True),
        ("x @ file:///code/pkg\n", "pkg/setup.py", True),
        ("# ./pkg\ntoolz\n", "pkg/setup.py", False),
        ("-r more.txt\n", "pkg/setup.py", False),
        ("-r ../outside.txt\n", "a.py", False),
    ],
)
def test_a_set_depends_on_what_its_text_refers_to(tmp_path: Path, text: str, other: str, matters: bool) -> None:
    for name in ("a.py", "more.txt", "pkg/setup.py", "vendor/x.whl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "requirements.txt").write_text(text)
    before = fingerprint(tmp_path, "requirements.txt")
    assert fingerprint(tmp_path, "requirements.txt") == before
    (tmp_path / other).write_text("changed")
    assert (fingerprint(tmp_path, "requirements.txt") != before) is matters
    (tmp_path / "requirements.txt").write_text(text + "more\n")
    assert fingerprint(tmp_path, "requirements.txt") != before


@pytest.fixture
def wanted(engine: Any, python_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A step with a `requirements.txt`, and an empty cache."""
    image = engine.image(python_image)  # probed with the cache of the suite
    monkeypatch.setenv("RUN_PIPELINE_CACHE_DIR", str(tmp_path / "cache"))
    code = tmp_path / "code"
    code.mkdir()
    (code / "requirements.txt").write_text(LINE)
    return Installation(
        image=image,
        interpreter="python",
        code=code,
        run_id="test-requirements",
        step="s",
        stopped=lambda: False,
        tell=lambda message: None,
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "index"
    folder.mkdir()
    with private_index(folder) as found:
        point_pip_at(monkeypatch, found.url)
        monkeypatch.setenv("PIP_CERT", str(found.ca))
        yield found.url


def point_pip_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("PIP_RETRIES", "0")


def nothing_left(engine: Any, wanted: Installation, *, sets: int = 0) -> None:
    assert engine.leftovers(wanted.run_id) == []
    home = wanted.code.parent / "cache" / "requirements"
    kept = [path for path in home.iterdir() if path.is_dir() and path.name != "pip"]
    assert len(kept) == sets
    assert not [path for path in kept if path.suffix == ".part"]


@pytest.mark.docker
@pytest.mark.usefixtures("index")
def test_a_set_is_whole_the_users_and_holds_no_password(engine: Any, wanted: Installation) -> None:
    found = engine.collect(wanted)
    assert sorted(path.name for path in found.iterdir()) == [WHEEL, "requirements.txt"]
    assert (found / "requirements.txt").read_text() == LINE
    assert {path.stat().st_uid for path in found.iterdir()} == {wanted.code.stat().st_uid}
    for path in found.parent.rglob("*"):
        assert not path.is_file() or b"s3cr3t" not in path.read_bytes(), path
    nothing_left(engine, wanted, sets=1)


@pytest.mark.docker
@pytest.mark.usefixtures("index")
def test_it_is_made_once_also_by_two_at_a_time(engine: Any, wanted: Installation) -> None:
    told: list[str] = []
    both = dataclasses.replace(wanted, tell=told.append)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(engine.collect, (both, both))
    assert first == second == engine.collect(both)
    assert len(told) == 1
    nothing_left(engine, wanted, sets=1)


@pytest.mark.docker
def test_what_an_earlier_process_left_half_done_is_made_anew(engine: Any, wanted: Installation, index: str) -> None:
    assert index
    whole = engine.collect(wanted)
    part = whole.rename(whole.with_name(f"{whole.name}.part"))
    (part / WHEEL).write_bytes(b"torn")
    assert (engine.collect(wanted) / WHEEL).read_bytes() == wheel()
    nothing_left(engine, wanted, sets=1)


@pytest.mark.docker
def test_local_wheels_need_no_index(engine: Any, wanted: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    point_pip_at(monkeypatch, "http://127.0.0.1:1/simple")
    (wanted.code / "vendor").mkdir()
    (wanted.code / "vendor" / WHEEL).write_bytes(wheel())
    (wanted.code / "requirements.txt").write_text(f"./vendor/{WHEEL}\n")
    assert (engine.collect(wanted) / "requirements.txt").read_text() == LINE


@pytest.mark.docker
def test_what_the_image_has_is_not_fetched(engine: Any, wanted: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    point_pip_at(monkeypatch, "http://127.0.0.1:1/simple")
    (wanted.code / "requirements.txt").write_text("# nothing new\npip\n")
    found = engine.collect(wanted)
    assert [path.name for path in found.iterdir()] == ["requirements.txt"]
    assert (found / "requirements.txt").read_text() == ""


@pytest.mark.docker
@pytest.mark.usefixtures("index")
def test_a_package_that_does_not_exist_is_the_steps_fault(engine: Any, wanted: Installation) -> None:
    (wanted.code / "requirements.txt").write_text("nowhere==1\n")
    with pytest.raises(RequirementsError, match="No matching distribution found for nowhere==1") as caught:
        engine.collect(wanted)
    assert caught.value.status == 1
    assert "nowhere" in caught.value.output
    nothing_left(engine, wanted)


@pytest.mark.docker
def test_an_interpreter_that_is_not_there_is_the_steps_fault(engine: Any, wanted: Installation) -> None:
    with pytest.raises(RequirementsError, match="python9: not found in the image") as caught:
        engine.collect(dataclasses.replace(wanted, interpreter="python9"))
    assert caught.value.status == 127
    nothing_left(engine, wanted)


@pytest.mark.docker
@pytest.mark.parametrize("what", ["no index", "wrong password"])
def test_an_index_that_does_not_serve_is_the_environments_fault(
    engine: Any, wanted: Installation, index: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    url = "http://127.0.0.1:1/simple" if what == "no index" else index.replace("s3cr3t", "guess")
    point_pip_at(monkeypatch, url)
    with pytest.raises(EnvironmentFault, match="cannot be fetched") as caught:
        engine.collect(wanted)
    assert "pip config list" in caught.value.remedy
    nothing_left(engine, wanted)


@pytest.mark.docker
def test_a_stop_ends_it_at_once(engine: Any, wanted: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_pip_at(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/simple")

        def connected() -> bool:
            """Whether pip has come to the index that never answers."""
            silent.settimeout(0)
            try:
                silent.accept()
            except BlockingIOError:
                return asked.is_set()
            asked.set()
            return True

        began = time.monotonic()
        with pytest.raises(Abandoned):
            engine.collect(dataclasses.replace(wanted, stopped=connected))
    assert asked.is_set()
    assert time.monotonic() - began < 60
    nothing_left(engine, wanted)
