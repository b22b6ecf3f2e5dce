"""How the data of a transform step is cut into records, and records are packed into requests. Part of the client: see
`batch.py`."""

import collections
import os
import sys

MEGABYTE = 1024 * 1024
Request = collections.namedtuple("Request", "file body records place")


class Fault(Exception):
    """Kind (`ping`, `answer`, `payload`, `data`, `connection`, `disk`), words for a person, and what the server itself
    said, or an empty text."""

    def __init__(self, kind, words, answer=""):
        super().__init__(kind, words, answer)
        self.kind, self.words, self.answer = kind, words, answer


def requests(config, note):
    """Of every file, sorted by path; a file's first has no body, and stands for its output."""
    for path in files(os.fsencode(config["data"]), note):
        yield Request(path, None, 0, "")
        with open(os.path.join(os.fsencode(config["data"]), path), "rb") as stream:
            for body, records, place in packed(config, stream, path):
                yield Request(path, body, records, place)


def files(root, note):
    found = []
    for directory, folders, names in os.walk(root):
        for name in sorted(names + [name for name in folders if os.path.islink(os.path.join(directory, name))]):
            path = os.path.join(directory, name)
            if os.path.isfile(path):
                found.append(os.path.relpath(path, root))
            else:
                note("not posted, as it is no file: %s" % printable(os.path.relpath(path, root)))
    if not found:
        raise Fault("data", "the data holds no file")
    return sorted(found)


def packed(config, stream, path):
    """(body, records, place) of each request of a file; a record is in one piece, and one alone may fill it."""
    limit = config["max_payload"] * MEGABYTE
    if config["split"] != "Line":
        body = stream.read(limit + 1)
        check(body, limit, printable(path))
        if body:
            yield body, 1, printable(path)
        return
    most = 1 if config["strategy"] == "SingleRecord" else sys.maxsize
    parts, size, first, number = [], 0, 1, 0
    while True:
        line = stream.readline(limit + 1)
        number += 1
        if parts and (not line or len(parts) >= most or size + len(line) > limit):
            yield b"".join(parts), len(parts), "%s, line %d" % (printable(path), first)
            parts, size, first = [], 0, number
        if not line:
            return
        check(line, limit, "%s, line %d" % (printable(path), number))
        parts.append(line)
        size += len(line)


def check(record, limit, place):
    if len(record) > limit:
        words = "%s: a record is larger than max_payload, %d MB" % (place, limit // MEGABYTE)
        raise Fault("payload", words)


def printable(path):
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
