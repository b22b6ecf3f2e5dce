"""`completion`: the script that makes a shell complete commands, options and step names."""

from __future__ import annotations

import click

from runner.cli.main import COMPLETE_VARIABLE
from runner.cli.options import command
from runner.cli.output import say


@command(
    "run-pipeline completion bash > ~/.local/share/bash-completion/completions/run-pipeline\n"
    'eval "$(run-pipeline completion zsh)"        # in ~/.zshrc\n'
    "run-pipeline completion fish > ~/.config/fish/completions/run-pipeline.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL."""
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    from runner.cli.program import NAME, program

    kinds = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    say(kinds[shell](program, {}, NAME, COMPLETE_VARIABLE).source())
