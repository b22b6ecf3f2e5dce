"""How an output's name and an input's name fit together: equal, by alias, or by likeness.

Likeness is computed from the words of both names, always the same way:

1. A name is cut into words (`trainData_v2` -> train, data, v2), in small letters; words that say only what every port
   is (input, output, path, dir, s3, uri, file) are left out, unless nothing else is there.
2. Each word becomes the first of its line in `SYNONYMS`, so that `validation` and `val` are one word.
3. The score is 0.7 times the share of common words (twice their number by the number of words in both names) plus 0.3
   times difflib's ratio of the two names so written, which forgives spelling.
4. Names of different splits of data (train, validation, test, calibration) never score more than `APART`, however much
   else they share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import lru_cache

from runner.spec.strict import Strict

SYNONYMS = (
    ("train", "training"),
    ("validation", "valid", "val", "dev"),
    ("test", "testing", "holdout"),
    ("calibration", "calib", "cal"),
    ("data", "dataset", "datasets", "table", "rows", "records", "df"),
    ("processed", "preprocessed", "cleaned", "clean", "transformed"),
    ("model", "models", "artifact", "artifacts", "artefact", "booster", "weights"),
    ("evaluation", "eval", "evaluate"),
    ("metrics", "metric", "measures", "scores", "score"),
    ("predictions", "prediction", "pred", "preds", "inference"),
    ("features", "feature", "columns"),
    ("labels", "label", "target", "targets"),
    ("hyperparameters", "hyperparams", "hparams", "params", "parameters"),
    ("config", "configuration", "settings"),
    ("report", "summary"),
    ("calibrated", "recalibrated"),
)
_WORD = {word: line[0] for line in SYNONYMS for word in line}
_EMPTY = frozenset(
    {"input", "inputs", "output", "outputs", "path", "paths", "dir", "s3", "uri", "file", "files", "in", "out"}
)
_SPLITS = frozenset({"train", "validation", "test", "calibration"})
APART = 0.3
MARGIN = 0.05
"""Two candidates whose scores are closer than this are equally likely: neither is bound."""
DEFAULT_THRESHOLD = 0.7
_LONGEST = 200
_MOST_PAIRS = 400
_HUMP = re.compile(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])")
_GAP = re.compile(r"[^A-Za-z0-9]+")


class MatchType(StrEnum):
    """By what an output and an input fit, the surest first."""

    EXACT_LOGICAL = "exact_logical"
    LOGICAL_TO_ALIAS = "logical_to_alias"
    ALIAS_TO_LOGICAL = "alias_to_logical"
    ALIAS_TO_ALIAS = "alias_to_alias"
    SEMANTIC = "semantic"


CONFIDENCE = {
    MatchType.EXACT_LOGICAL: 1.0,
    MatchType.LOGICAL_TO_ALIAS: 0.95,
    MatchType.ALIAS_TO_LOGICAL: 0.95,
    MatchType.ALIAS_TO_ALIAS: 0.9,
}
"""Of a semantic match it is the score."""


class PathMatch(Strict):
    """One output that fits one input."""

    source_logical_name: str
    dest_logical_name: str
    match_type: MatchType
    confidence: float
    semantic_details: str | None = None
    """How a semantic score came about."""
    matched_source_name: str
    """The name or alias of the output that matched."""
    matched_dest_name: str


@dataclass(frozen=True, slots=True)
class Likeness:
    score: float
    """0 to 1."""
    details: str


Aliases = Mapping[str, Sequence[str]]
"""Logical name -> other names for it."""


def path_matches(outputs: Aliases, inputs: Aliases, semantic_threshold: float | None = None) -> tuple[PathMatch, ...]:
    """For each pair of output and input the surest match, if there is any, the surest pairs first.

    Likeness counts from `semantic_threshold` on, and not at all where that is None.
    """
    found = [
        match
        for output, own in outputs.items()
        for port, other in inputs.items()
        if (match := match_of(output, own, port, other, semantic_threshold)) is not None
    ]
    return tuple(sorted(found, key=lambda match: -match.confidence))


def match_of(
    output: str, output_aliases: Sequence[str], port: str, port_aliases: Sequence[str], threshold: float | None = None
) -> PathMatch | None:
    """The surest match of one pair."""
    named = _named(output, output_aliases, port, port_aliases)
    if named is not None:
        kind, source, target = named
        return _match(output, port, kind, CONFIDENCE[kind], source, target)
    if threshold is None:
        return None
    best = max(
        ((likeness(one, other), one, other) for one in (output, *output_aliases) for other in (port, *port_aliases)),
        key=lambda each: each[0].score,
    )
    like, source, target = best
    if like.score < threshold:
        return None
    return _match(output, port, MatchType.SEMANTIC, like.score, source, target, like.details)


def _match(
    output: str, port: str, kind: MatchType, confidence: float, source: str, target: str, details: str | None = None
) -> PathMatch:
    return PathMatch(
        source_logical_name=output,
        dest_logical_name=port,
        match_type=kind,
        confidence=confidence,
        semantic_details=details,
        matched_source_name=source,
        matched_dest_name=target,
    )


def _named(
    output: str, output_aliases: Sequence[str], port: str, port_aliases: Sequence[str]
) -> tuple[MatchType, str, str] | None:
    if output == port:
        return MatchType.EXACT_LOGICAL, output, port
    if output in port_aliases:
        return MatchType.LOGICAL_TO_ALIAS, output, output
    if port in output_aliases:
        return MatchType.ALIAS_TO_LOGICAL, port, port
    common = next((alias for alias in output_aliases if alias in port_aliases), None)
    return None if common is None else (MatchType.ALIAS_TO_ALIAS, common, common)


@lru_cache(maxsize=50_000)
def likeness(one: str, other: str) -> Likeness:
    """How alike two names are, by the rules at the top of this file."""
    if max(len(one), len(other)) > _LONGEST:
        return Likeness(0.0, "too long to compare")
    left, right = words(one), words(other)
    common = [word for word in left if word in right]
    share = 2 * len(common) / (len(left) + len(right)) if left or right else 0.0
    # difflib's ratio depends on the order of its arguments; likeness must not.
    first, second = sorted((" ".join(left), " ".join(right)))
    spelling = SequenceMatcher(None, first, second, autojunk=False).ratio()
    score = round(0.7 * share + 0.3 * spelling, 2)
    said = f"words in common: {', '.join(common) or 'none'}; spelling {spelling:.2f}"
    apart = sorted((set(left) & _SPLITS) ^ (set(right) & _SPLITS))
    if set(left) & _SPLITS and set(right) & _SPLITS and apart and score > APART:
        return Likeness(APART, f"{said}; different splits: {', '.join(apart)}")
    return Likeness(score, said)


def words(name: str) -> tuple[str, ...]:
    """The words of a name, each once, with synonyms made equal."""
    spaced = _HUMP.sub(lambda found: f"{found[1] or found[3]} {found[2] or found[4]}", name)
    every = [word for word in _GAP.sub(" ", spaced).lower().split() if word]
    telling = [word for word in every if word not in _EMPTY] or every
    return tuple(dict.fromkeys(_WORD.get(word, word) for word in telling))


def ranked(outputs: Sequence[str], inputs: Sequence[str], most: int) -> list[tuple[str, str, float]]:
    """Pairs of output and input by likeness, the likest first: to show what a person may have meant. None of very
    many: nobody would read them, and each is compared with each."""
    if len(outputs) * len(inputs) > _MOST_PAIRS:
        return []
    pairs = [(output, port, likeness(output, port).score) for output in outputs for port in inputs]
    return sorted((pair for pair in pairs if pair[2] > 0), key=lambda pair: -pair[2])[:most]
