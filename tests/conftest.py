"""Fixtures for the whole suite: one engine, the images it needs, and a check that nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REQUIRED = os.environ.get("RUN_PIPELINE_REQUIRE_DOCKER") == "1"
"""Set by `make test`: a missing engine is then a failure, never a skip."""
ROOT = Path(__file__).parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Runs of the tests start from nothing, but for those that are about the step cache or the pool.

    Under `nohup` SIGHUP is ignored, and so it would be in every process that the tests start and send it to."""
    os.environ["RUN_PIPELINE_CACHE"] = "off"
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ["RUN_PIPELINE_POOL"] = "off"
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(NothingLeftBehind())


def _engine_error() -> str:
    from runner.engine.client import client
    from runner.errors import EngineUnavailable

    try:
        client().close()
    except EngineUnavailable as error:
        return f"{error.message}; {error.remedy}"
    return ""


@pytest.fixture(scope="session")
def engine_error() -> str:
    return _engine_error()


@pytest.fixture(autouse=True)
def _docker_or_say_so(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("docker") is None:
        return
    error = request.getfixturevalue("engine_error")
    if error and REQUIRED:
        pytest.fail(f"this test needs a Docker engine: {error}")
    if error:
        pytest.skip(f"needs a Docker engine: {error}")


@pytest.fixture(scope="session")
def engine(engine_error: str) -> Iterator[object]:
    """The real Docker engine."""
    from runner.engine import connect

    connected = connect()
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def python_image(engine: object) -> str:
    """A local image with Python and nothing else of weight."""
    return _built("python")


@pytest.fixture(scope="session")
def xgboost_image(engine: object) -> str:
    return _built("xgboost")


@pytest.fixture(scope="session")
def xgboost_inference_image(engine: object) -> str:
    return _built("xgboost-inference")


def _built(name: str) -> str:
    from runner.engine import images

    images.ensure(name, lambda line: None)
    return images.docker_reference(name)


@pytest.fixture(scope="session", autouse=True)
def _no_deep_trees(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """pytest keeps temporary directories and removes them later, recursively: too deep for some of ours."""
    yield
    if not request.session.testsfailed:
        from runner.engine import trees

        for path in tmp_path_factory.getbasetemp().iterdir():
            trees.remove(path) if path.is_dir() and not path.is_symlink() else path.unlink()


class NothingLeftBehind:
    """Containers, volumes, networks, temporary files and foreign ownership: before the suite, and after it.

    In the process that commands the workers, where there are any: a worker cannot tell what another one still needs.
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        if session.config.option.collectonly:
            return (yield)
        error = _engine_error()
        if before := _unowned(error):
            pytest.exit(f"left over from an earlier run: {before}; `run-pipeline clean` removes them", returncode=1)
        temporary = _temporary()
        result = yield
        if after := _unowned(error):
            self.found.append(f"on the engine: {after}")
        if made := _temporary() - temporary:
            self.found.append(f"temporary files: {sorted(made)}")
        if foreign := [str(path) for path in _tracked() if path.lstat().st_uid != os.getuid()]:
            self.found.append(f"files of another user in the project: {foreign[:5]}")
        session.testsfailed += len(self.found)
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for each in self.found:
            terminalreporter.section("the suite left something behind", red=True)
            terminalreporter.write_line(each)


def _unowned(engine_error: str) -> list[object]:
    """What of ours the engine holds; where other sessions may share it, only what no living process owns.

    A run that was killed a moment ago has a janitor at work: it is given its two seconds, and some more.
    """
    if engine_error:
        return []
    from runner.engine import connect

    connected = connect()
    try:
        for _ in range(50):
            found = [each for each in connected.leftovers() if REQUIRED or not each.owner_alive]
            if not found:
                break
            time.sleep(0.1)
        return found
    finally:
        connected.close()


def _temporary() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("*run-pipeline*")}


def _tracked() -> Iterator[Path]:
    for directory, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in {".git", ".venv"}]
        yield from (Path(directory, name) for name in (*names, *files))


@pytest.fixture
def odd_dir() -> Iterator[Path]:
    """A directory whose name holds what breaks naive mounts: spaces, quotes, colon, comma, newline."""
    path = Path(tempfile.mkdtemp(prefix="odd 'q\" a:b,c\nd "))
    yield path
    shutil.rmtree(path)
