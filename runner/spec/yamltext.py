"""YAML text -> builder events, with libyaml where PyYAML has it.

Events and not PyYAML's own composer: that one recurses in C and crashes the interpreter on a deeply nested file.
"""

from __future__ import annotations

from typing import Any

import yaml

from runner.spec.builder import MERGE, Builder
from runner.spec.document import Mark
from runner.spec.scalar import Scalar, resolve

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_KNOWN = {f"{_TAG}{kind}" for kind in ("null", "bool", "int", "float")}


def parse(text: str, builder: Builder) -> None:
    """Feed one YAML document to the builder. Raises SpecError for bad syntax."""
    loader = None
    try:
        loader = _Loader(text)
        documents = 0
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    remedy = "Keep one document in the file."
                    raise builder.syntax_error(_mark(event), "a second document begins here", remedy)
            _feed(event, builder)
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes here and the Python reader characters: the character itself is sure, so look for it.
        before = text[: max(text.find(chr(error.character)), 0)]
        mark = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        raise builder.syntax_error(mark, f"the character U+{error.character:04X} is not allowed in YAML") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, builder) from None
    finally:
        if loader is not None:
            loader.dispose()


def _feed(event: yaml.Event, builder: Builder) -> None:
    if isinstance(event, yaml.ScalarEvent):
        builder.scalar(_value(event, builder), _mark(event), event.anchor)
    elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{_TAG}{'map' if mapping else 'seq'}"):
            raise builder.refuse(_mark(event), f"the tag '{event.tag}' has no meaning here")
        builder.open(_mark(event), event.anchor, mapping=mapping)
    elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
        builder.close()
    elif isinstance(event, yaml.AliasEvent):
        builder.alias(event.anchor or "", _mark(event))


def _value(event: yaml.ScalarEvent, builder: Builder) -> Scalar | object:
    text: str = event.value
    if event.tag in (None, ""):
        if event.style:  # quoted or a block: text
            return text
        return MERGE if text == "<<" else resolve(text)
    if event.tag in ("!", f"{_TAG}str"):
        return text
    value = resolve(text)
    if event.tag not in _KNOWN or isinstance(value, str):
        tag = event.tag.replace(_TAG, "!!")
        raise builder.refuse(_mark(event), f"the tag '{tag}' does not fit {text!r} or has no meaning here")
    return value


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _syntax_error(error: yaml.MarkedYAMLError, text: str, builder: Builder) -> Exception:
    found: Any = error.problem_mark or error.context_mark
    line, column = (found.line, found.column) if found else (0, 0)
    lines = text.splitlines()
    source = lines[line] if line < len(lines) else ""
    if "\t" in source[: len(source) - len(source.lstrip())]:
        at = (line + 1, source.index("\t") + 1)
        return builder.syntax_error(
            at, "a tab indents this line; YAML allows spaces only", "Replace the tab by spaces."
        )
    message = error.problem or ""
    if error.context:
        begun = error.context_mark
        since = f" (begun at {begun.line + 1}:{begun.column + 1})" if begun and error.problem_mark else ""
        message = f"{error.context}{since}: {message}"
    if source[column : column + 1] in ("@", "`", "%"):
        message = f"a value cannot begin with '{source[column]}'; put it in quotes"
    elif error.problem == "mapping values are not allowed in this context":
        message = "a second ': ' on this line, or wrong indentation; put a value that contains ': ' in quotes"
    return builder.syntax_error((line + 1, column + 1), f"not valid YAML: {message}")
