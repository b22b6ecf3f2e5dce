"""A container that was made for an earlier run: its step cannot tell, whatever has been edited since."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pool.warmed import Warmed, docker, until

from runner.engine.base import Verdict
from runner.sagemaker.job import Limits

pytestmark = pytest.mark.docker

TELLS = """
import json, os, sys
print(json.dumps({"argv": sys.argv, "orig": sys.orig_argv[1:], "env": list(os.environ.items()), "file": __file__}))
"""


def told(ended: Any) -> dict[str, Any]:
    assert ended.outcome.verdict is Verdict.PASSED, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_an_edited_script_runs_in_the_container_that_is_ready(warmed: Warmed) -> None:
    (ready,) = warmed.stock(warmed.launch("print('old')"))["ready"]
    ended = warmed.take(warmed.launch("print('new')"), ready["id"])
    assert (ended.outcome.verdict, ended.stdout) == (Verdict.PASSED, b"new\n")


def test_it_is_used_once(warmed: Warmed) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    warmed.take(warmed.launch("print(1)"), ready["id"])
    assert warmed.ready() == []
    again = warmed.engine.prepare(warmed.launch("print(1)"))
    again.remove()
    assert again.id != ready["id"]


@pytest.mark.parametrize(
    ("args", "env"),
    [
        (("--rate", "0.1", "ä b"), ()),
        ((), (("LABEL_FIELD", "target"), ("NEW_VARIABLE", "ü"))),
        (("x",), (("NEW_VARIABLE", "1"), ("FIRST_ONE", "changed"))),
        ((), (("PYTHONHASHSEED", "0"), ("LC_ALL", "C"))),
        ((), (("OPENBLAS_NUM_THREADS", "1"), ("PATH", "/usr/local/bin:/usr/bin:/bin"))),
    ],
)
def test_other_arguments_and_variables_are_as_in_a_new_container(
    warmed: Warmed, args: tuple[str, ...], env: tuple[tuple[str, str], ...]
) -> None:
    before = (("FIRST_ONE", "1"), ("SECOND_ONE", "2"))
    fresh = told(warmed.fresh(warmed.launch(TELLS, args=args, env=env)))
    (ready,) = warmed.stock(warmed.launch("", args=("old",), env=before))["ready"]
    assert told(warmed.take(warmed.launch(TELLS, args=args, env=env), ready["id"])) == fresh


def test_a_hash_seed_takes_effect(warmed: Warmed) -> None:
    script = "print(hash('a word'))"
    env = (("PYTHONHASHSEED", "7"),)
    fresh = warmed.fresh(warmed.launch(script, env=env))
    (ready,) = warmed.stock(warmed.launch(script))["ready"]
    assert warmed.take(warmed.launch(script, env=env), ready["id"]).stdout == fresh.stdout


def test_what_is_fixed_at_a_start_needs_another_container(warmed: Warmed) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    for options in (
        {"limits": Limits(grace=1.0, memory=512 << 20)},
        {"network": "bridge"},
        {"preimport": ("json",)},
        {"working_dir": "/tmp"},
        {"entrypoint": ("python3", "-u", "/opt/ml/processing/input/code/script.py")},
        {"inputs": {"data": warmed.root}},
    ):
        container = warmed.engine.prepare(warmed.launch("print(1)", **options))
        container.remove()
        assert container.id != ready["id"], options
    assert warmed.ready() == [ready["id"]]


def test_no_secret_and_no_data_lies_in_it_while_it_waits(warmed: Warmed) -> None:
    env = (("API_TOKEN", "do-not-keep"), ("DB_PASSWORD", "nor-this"), ("PLAIN", "as it is"))
    (ready,) = warmed.stock(warmed.launch(TELLS, env=env))["ready"]
    every = docker("exec", ready["id"], "sh", "-c", "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'")
    inspected = docker("inspect", ready["id"])
    for text in (every, inspected):
        assert "do-not-keep" not in text and "nor-this" not in text
    assert "PLAIN=as it is" in every
    ended = told(warmed.take(warmed.launch(TELLS, env=env), ready["id"]))
    assert ["API_TOKEN", "do-not-keep"] in ended["env"]
    assert [name for name, _ in ended["env"]] == [
        name for name, _ in told(warmed.fresh(warmed.launch(TELLS, env=env)))["env"]
    ]


def test_the_script_has_neither_the_capability_nor_the_hidden_root(warmed: Warmed) -> None:
    script = (
        "import os\nprint(open('/proc/self/status').read().split('CapEff:')[1].split()[0], os.path.exists('/.runner'))"
    )
    fresh = warmed.fresh(warmed.launch(script)).stdout
    (ready,) = warmed.stock(warmed.launch(script))["ready"]
    assert warmed.take(warmed.launch(script), ready["id"]).stdout == fresh
    assert fresh.endswith(b" False\n")


def test_a_user_of_the_images_runs_in_it(warmed: Warmed) -> None:
    script = "import os\nprint(os.getuid(), os.environ['HOME'], os.environ.get('ADDED'))"
    options: dict[str, Any] = {"user": "nobody"}
    fresh = warmed.fresh(warmed.launch(script, env=(("ADDED", "1"),), **options)).stdout
    (ready,) = warmed.stock(warmed.launch(script, **options))["ready"]
    assert warmed.take(warmed.launch(script, env=(("ADDED", "1"),), **options), ready["id"]).stdout == fresh


def test_a_script_that_cannot_be_started_is_told_as_ever(warmed: Warmed) -> None:
    launch = warmed.launch("raise SystemExit(3)")
    (ready,) = warmed.stock(launch)["ready"]
    ended = warmed.take(warmed.launch("raise SystemExit(3)"), ready["id"])
    assert (ended.outcome.verdict, ended.outcome.exit_code) == (Verdict.EXIT, 3)


def test_nothing_is_left_of_it(warmed: Warmed) -> None:
    (ready,) = warmed.stock(warmed.launch("print(1)"))["ready"]
    warmed.take(warmed.launch("print(1)"), ready["id"])
    assert until(lambda: ready["id"] not in docker("ps", "-aq", "--no-trunc").split())
