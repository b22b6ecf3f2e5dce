"""Every command, where its code is, and its line in the help: read without importing click or any command."""

from __future__ import annotations

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Run": {
        "run": ("run:run", "Run the steps of a pipeline in containers."),
        "watch": ("watch:watch", "Run a pipeline, and after each save what the save affects."),
        "plan": ("plan:plan", "Check everything and show what would run; start nothing."),
        "validate": ("validate:validate", "Check pipeline files; needs no engine."),
        "graph": ("graph:graph", "Draw the steps and the data between them."),
        "resolve": ("resolve:resolve", "Show which script each node means and what each edge brings, and why."),
        "contracts": ("contracts:contracts", "List the contracts of scripts, and where they differ from the scripts."),
        "schema": ("schema:schema", "Print the JSON Schema of the pipeline file."),
    },
    "Test": {
        "test-script": ("testing:test_script", "Run one script by itself, by its spec or contract."),
        "test-compatibility": (
            "testing:test_compatibility",
            "Run one script on what another wrote.",
        ),
        "test-pipeline": ("testing:test_pipeline", "Run a pipeline once, chained; tell each step and each edge."),
        "specs": ("specs:specs", "List, show or edit the specs of a workspace."),
    },
    "Look back": {
        "runs": ("history:runs", "List past runs."),
        "show": ("history:show", "Show one run, step by step."),
        "logs": ("history:logs", "Print what a step wrote, byte for byte."),
        "debug": ("debug:debug", "Open a shell where a step failed."),
        "explain": ("explain:explain", "Say why a step ran or was cached, and what has changed since it last ran."),
    },
    "Machine": {
        "doctor": ("doctor:doctor", "Check engine, disk, memory and images; say how to cure what is wrong."),
        "cache": ("cache:cache", "List the results that runs keep, or make them fewer."),
        "clean": ("clean:clean", "Remove what dead runs left behind."),
        "warm": ("pool:warm", "Have containers stand ready for the next run of a pipeline."),
        "pool": ("pool:pool", "Show the containers that stand ready."),
        "images": ("images:images", "Build or list the images that stand for SageMaker's."),
        "completion": ("completion:completion", "Print the completion script of a shell."),
    },
}
"""Section -> command -> (`module:attribute` below `runner.cli`, summary). The order is the order of the help."""

COMMANDS: dict[str, tuple[str, str]] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}

FILE_SUFFIXES = (".yaml", ".yml", ".json")
"""A first argument that ends so is a pipeline file, also when it does not exist: the error is then about the file."""

HELP_NAMES = ("-h", "--help")
VERSION_NAME = "--version"

_HEAD = """\
Usage: run-pipeline FILE [OPTIONS]
       run-pipeline COMMAND [OPTIONS] [ARGS]...

  Run every step of a SageMaker pipeline in a local container before you deploy it.
  `run-pipeline FILE` is short for `run-pipeline run FILE`.
"""

_TAIL = """\
Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit; `run-pipeline COMMAND --help` shows a command's own.

Example:
  run-pipeline plan pipeline.yaml
  run-pipeline pipeline.yaml -j 4

Exit codes: 0 passed, 1 a step failed, 2 usage or invalid file, 3 environment, 4 internal error,
5 nothing selected, 129/130/143 stopped by a signal after every container was stopped.
"""


def overview() -> str:
    """The text of `run-pipeline --help`."""
    width = max(map(len, COMMANDS)) + 2
    blocks = [_HEAD]
    for title, commands in SECTIONS.items():
        lines = [f"  {name:<{width}}{summary}" for name, (_, summary) in commands.items()]
        blocks.append("\n".join([f"{title}:", *lines, ""]))
    return "\n".join([*blocks, _TAIL])
