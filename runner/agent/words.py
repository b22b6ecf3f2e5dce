"""What an interpreter's command line says: which options it gets, and what it runs. Python 3.7 syntax.

The engine asks it of a command that is to be started, the tracer of the process that it finds itself in.
"""


def interpreter_words(words: "list[str]") -> "tuple[str, str, str]":
    """(letters, how, program) of the words behind `python3`: its one-letter options; `-m`, `-c` or nothing; and the
    module, the text or the script's path, empty when there is none. `-c` and `-m` end the options."""
    left, letters = words[:], ""
    while left and left[0][:1] == "-" and left[0][1:2].isalpha():
        word = left.pop(0)
        for position, letter in enumerate(word[1:], start=1):
            letters += letter
            value = word[position + 1 :]
            if letter in "cm":
                return letters, "-" + letter, value or (left[0] if left else "")
            if letter in "WXQ":  # these take a value, and may be said again
                if not value and left:
                    left.pop(0)
                break
    return letters, "", left[0] if left else ""


def is_pip(words: "list[str]") -> bool:
    """Whether the words behind `python3` start pip: as a module, or as the program `pip` (`pip3`, `pip3.11`)."""
    _, how, program = interpreter_words(words)
    if how:
        return (how, program) == ("-m", "pip")
    return program.rpartition("/")[2].rstrip("0123456789.") == "pip"
