"""The command line that a script takes, as far as its `add_argument` calls are literal."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from runner.spec.script import Source, is_neighbour
from runner.spec.scripts.literals import UNKNOWN, Beginning, Literals, assigned
from runner.spec.scripts.model import Option, Unread, Value
from runner.spec.scripts.walk import Visit

_ELSEWHERE = frozenset({"absl", "click", "docopt", "fire", "hydra", "simple_parsing", "tap", "typer"})
"""Libraries that take the command line in a way that this does not read."""
_NEVER_REQUIRED = frozenset({"help", "version"})


@dataclass(frozen=True, slots=True)
class _Parser:
    command: str | None = None
    """The subcommand that it parses."""


def options_of(source: Source, visits: list[Visit], literals: Literals) -> tuple[list[Option], list[Unread]]:
    """In the order of the text."""
    return _Reader(source, literals).read(visits)


class _Reader:
    def __init__(self, source: Source, literals: Literals) -> None:
        self.source = source
        self.literals = literals
        self.options: list[Option] = []
        self.unread: list[Unread] = []
        self._parsers: dict[str, _Parser] = {}
        self._defaults: dict[str, Value] = {}
        self._uses_argparse = False
        self._beside: list[Unread] = []
        """What hides the arguments only if the script itself parses none."""
        self._functions: set[str] = set()

    def read(self, visits: list[Visit]) -> tuple[list[Option], list[Unread]]:
        for node, _ in visits:
            if isinstance(node, ast.FunctionDef):
                self._functions.add(node.name)
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)
        for node, _ in visits:
            for name, value in assigned(node):
                parser = self._parser(value)
                if parser is not None:
                    self._parsers[name] = parser
            if isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, ast.Attribute) and self.literals.dotted(node) == "sys.argv":
                self._beside.append(Unread("arguments", node.lineno, "the script reads sys.argv itself"))
        if not self._parsers and not self.options:
            self.unread += self._beside
        found = [
            replace(each, default=self._defaults[each.dest], required=False) if each.dest in self._defaults else each
            for each in self.options
        ]
        return found, self.unread

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        else:
            names = [(node.module or "").partition(".")[0]]
        self._uses_argparse |= "argparse" in names
        for name in names:
            if name in _ELSEWHERE:
                self.unread.append(Unread("arguments", node.lineno, f"{name} reads them"))
            elif name and ((isinstance(node, ast.ImportFrom) and node.level) or is_neighbour(self.source.path, name)):
                self._beside.append(Unread("arguments", node.lineno, f"the neighbouring module '{name}' may read them"))

    def _parser(self, node: ast.expr, depth: int = 0) -> _Parser | None:
        """The parser, group or subparsers that an expression gives."""
        if isinstance(node, ast.Name):
            return self._parsers.get(node.id)
        if not isinstance(node, ast.Call) or depth > 10:
            return None
        name = self.literals.dotted(node.func)
        if name is not None and name.rpartition(".")[2] == "ArgumentParser":
            return _Parser()
        if not isinstance(node.func, ast.Attribute):
            return None
        holder = self._parser(node.func.value, depth + 1) or _Parser()
        if node.func.attr in ("add_argument_group", "add_mutually_exclusive_group", "add_subparsers"):
            return holder
        if node.func.attr == "add_parser" and node.args:
            return _Parser(self.literals.text(node.args[0]) or "?")
        return None

    def _call(self, node: ast.Call) -> None:
        name = self.literals.dotted(node.func) or ""
        last = name.rpartition(".")[2]
        if last.endswith("ArgumentParser") and last != "ArgumentParser":
            self.unread.append(Unread("arguments", node.lineno, f"{last} reads them"))
        if not isinstance(node.func, ast.Attribute):
            given = [each for each in node.args if isinstance(each, ast.Name) and each.id in self._parsers]
            if given and last not in self._functions:
                self.unread.append(Unread("arguments", node.lineno, f"'{last}' may add some to the parser"))
            return
        if not self._uses_argparse:
            return
        if node.func.attr == "add_argument":
            self._add(node, self._parser(node.func.value) or _Parser())
        elif node.func.attr == "set_defaults":
            self._defaults |= {word.arg: self._value(word.value) for word in node.keywords if word.arg}

    def _add(self, node: ast.Call, parser: _Parser) -> None:
        flags = [self.literals.text(each) for each in node.args]
        words = {word.arg: word.value for word in node.keywords if word.arg}
        literal = [flag for flag in flags if flag is not None]
        if len(literal) < len(flags) or any(word.arg is None for word in node.keywords) or not all(literal):
            self.unread.append(Unread("arguments", node.lineno, "an add_argument is not literal"))
            return
        dest = self._text(words, "dest")
        if not literal and dest is None:
            self.unread.append(Unread("arguments", node.lineno, "an add_argument names no argument"))
            return
        self.options.append(self._option(node, tuple(literal) or (dest or "",), dest, words, parser))

    def _option(
        self, node: ast.Call, flags: tuple[str, ...], dest: str | None, words: dict[str, ast.expr], parser: _Parser
    ) -> Option:
        action = self._text(words, "action") or (self.source.segment(words["action"]) if "action" in words else None)
        choices = self.literals.value(words["choices"]) if "choices" in words else None
        return Option(
            flags=flags,
            dest=dest or _dest(flags),
            line=node.lineno,
            required=None if action in _NEVER_REQUIRED else self._required(flags, words),
            default=self._value(words["default"]) if "default" in words else _implied(action),
            choices=tuple(choices)
            if isinstance(choices, list)
            else tuple(choices)
            if isinstance(choices, dict)
            else None,
            type=self.source.segment(words["type"]) if "type" in words else None,
            action=action,
            help=self._text(words, "help"),
            command=parser.command,
        )

    def _required(self, flags: tuple[str, ...], words: dict[str, ast.expr]) -> bool | None:
        if not flags[0].startswith("-"):
            return "nargs" not in words or self.literals.value(words["nargs"]) not in ("?", "*")
        if "required" not in words:
            return False
        found = self.literals.value(words["required"])
        return found if isinstance(found, bool) else None

    def _text(self, words: dict[str, ast.expr], key: str) -> str | None:
        return self.literals.text(words[key]) if key in words else None

    def _value(self, node: ast.expr) -> Value:
        return value_of(node, self.source, self.literals)


def value_of(node: ast.expr, source: Source, literals: Literals) -> Value:
    """A default as written, and what it means where it is a literal."""
    found = literals.value(node)
    known = found is not UNKNOWN and not isinstance(found, Beginning)
    return Value(source.segment(node), known, found if known else None)


def _dest(flags: tuple[str, ...]) -> str:
    """As argparse names it: after the first long flag, else after the first."""
    if not flags[0].startswith("-"):
        return flags[0]
    long = next((flag for flag in flags if flag.startswith("--")), flags[0])
    return long.lstrip("-").replace("-", "_")


def _implied(action: str | None) -> Value | None:
    flag = {"store_true": False, "store_false": True}.get(action or "")
    return None if flag is None else Value(str(flag), known=True, value=flag)
