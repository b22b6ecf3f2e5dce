"""A signal at any moment: the shell's exit code, one line or one document, never a traceback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from runner.cli.main import entry

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

AT_IMPORT = """
import os, sys
from runner.cli.main import entry

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            for _ in range(TIMES):
                os.kill(os.getpid(), SIGNUM)

MODULE, SIGNUM, TIMES = sys.argv.pop(1), int(sys.argv.pop(1)), int(sys.argv.pop(1))
sys.meta_path.insert(0, Finder())
sys.exit(entry())
"""


def stopped(module: str, signum: int, *arguments: str, times: int = 1) -> subprocess.CompletedProcess[str]:
    """Run the command line, which gets the signal as it imports `module`."""
    words = [sys.executable, "-c", AT_IMPORT, module, str(int(signum)), str(times), *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


MOMENTS = [
    "runner.cli.program",
    "click.core",
    "dataclasses",
    "runner.cli.run",
    "runner.cli.request",
    "runner.spec.loader",
]


@pytest.mark.parametrize("module", MOMENTS)
def test_a_signal_at_any_moment_is_one_line(module: str) -> None:
    done = stopped(module, signal.SIGINT, "run", "nothing.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "run-pipeline: stopped by SIGINT\n")


@pytest.mark.parametrize("module", MOMENTS)
def test_a_signal_at_any_moment_is_one_document(module: str) -> None:
    done = stopped(module, signal.SIGTERM, "run", "nothing.yaml", "--json")
    assert (done.returncode, done.stderr) == (143, "")
    assert json.loads(done.stdout)["error"]["exit_code"] == 143


@pytest.mark.parametrize("signum", CODES)
def test_every_signal_has_its_code(signum: signal.Signals) -> None:
    assert stopped("runner.cli.history", signum, "runs").returncode == CODES[signum]


def test_a_signal_while_an_error_is_told_does_not_cut_it_short() -> None:
    done = stopped("runner.cli.failure", signal.SIGINT, "plan", "nothing.yaml", "--json", times=2)
    assert (done.returncode, done.stderr) == (2, "")
    assert "nothing.yaml" in json.loads(done.stdout)["error"]["message"]


def test_a_signal_that_the_process_ignores_stays_ignored() -> None:
    words = ["nohup", sys.executable, "-c", AT_IMPORT, "runner.cli.schema", str(int(signal.SIGHUP)), "1", "schema"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0


def test_a_caller_in_the_same_process_gets_its_handlers_back() -> None:
    before = [signal.getsignal(signum) for signum in CODES]
    assert entry(["--version"]) == 0
    assert entry(["plan"]) == 2
    assert [signal.getsignal(signum) for signum in CODES] == before
