"""Scripts that look closely, or end badly. Each runs once in every way, in a container of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts"
CODE = "/opt/ml/processing/input/code"
BUFFERED = {"PYTHONUNBUFFERED": ""}
"""The catalogue's images switch buffering off."""


@dataclass(frozen=True)
class Case:
    name: str
    files: Mapping[str, bytes]
    """Below the code directory, `script.py` among them."""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    """Of the interpreter."""
    image: str = "python"
    link: str = ""
    """`script.py` is a link to this one."""
    reference: str = "cold"
    """`plain` where a cold script is process 1 and the kernel keeps signals from it."""
    preimport: tuple[str, ...] | None = None
    """None: as the script's text asks for."""


def _files(script: str, *beside: str) -> dict[str, bytes]:
    found = {"script.py": (SCRIPTS / f"{script}.py").read_bytes()}
    for name in beside:
        place = SCRIPTS / name
        paths = sorted(place.glob("*.py")) if place.is_dir() else [place]
        found |= {path.relative_to(SCRIPTS).as_posix(): path.read_bytes() for path in paths}
    return found


def _short(name: str, text: str | bytes, **more: object) -> Case:
    source = text if isinstance(text, bytes) else text.encode()
    return Case(name, {"script.py": source}, **more)  # type: ignore[arg-type]


_BEFORE = "import atexit, os, sys\natexit.register(print, 'at exit')\nprint('buffered')\n"
_ODD_ENV = {
    "B": "2", "A": "1", "SPACE D": " x ", "EMPTY": "", "LINE": "a\nb", "QUOTE": "'\"$HOME", "HIGH": "\N{SNOWMAN}",
    "PYTHONHASHSEED": "0", "PYTHONIOENCODING": "latin-1:replace", "PYTHONWARNINGS": "ignore,error::UserWarning",
    "PYTHONUTF8": "0", "LC_ALL": "C", "LANG": "", "PYTHONPATH": "/opt/ml/processing/input/code/package:/nowhere:",
    "PYTHONFAULTHANDLER": "1", "PYTHONTRACEMALLOC": "3", "PYTHONDONTWRITEBYTECODE": "", "PYTHONUNBUFFERED": "",
    "HOME": "/somewhere", "PATH": "/opt/venv/bin:/usr/bin:/bin", "TZ": "Asia/Tokyo",
    "_RUN_PIPELINE_MINE": "kept", "PYTHONOPTIMIZE": "1",
}  # fmt: skip

STATES = [
    Case("as it comes", _files("state"), args=("a b", "", "--x=\N{SNOWMAN}")),
    Case("odd environment", _files("state"), env=_ODD_ENV),
    Case("imports early", _files("state"), preimport=("sqlite3", "xml:dom"), env=BUFFERED),
    Case("options", _files("state"), options=("-O", "-u", "-X", "dev", "-W", "ignore", "-B")),
]
"""Of these, each line counts for itself."""

_SIGPIPE = "import signal\nsignal.signal(13, signal.SIG_DFL)\nr, w = os.pipe()\nos.close(r)\nos.write(w, b'x')\n"
_EXEC = "import os, sys\nprint('first', flush=True)\nos.execv(sys.executable, [sys.executable, '-c', {!r}, 'x'])\n"
_THEN = "import os, sys; print(sys.argv, sys.stdin.read(), list(os.environ.items())); sys.exit(4)"
_THREAD = "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\nt.start()\nt.join()\nprint('on')\n"
_WARN = (
    "import warnings\nwarnings.warn('one')\nwarnings.warn('two', DeprecationWarning)\nwarnings.simplefilter('error')\n"
)
_FROM = "try:\n    {}['a']\nexcept KeyError as e:\n    raise OSError(2, 'x') from e\n"
_IMPORTS = _files("imports", "package", "beside.py", "colorsys.py")
_AS_PROCESS_1: dict[str, object] = {"env": BUFFERED, "reference": "plain"}

CASES = [
    Case("processes", _files("processes"), env={"PYTHONHASHSEED": "0", **BUFFERED}),
    Case("processes and a path", _files("processes"), env={"PYTHONPATH": "/nowhere", "LAST": "1"}),
    Case("imports", _IMPORTS, preimport=("sqlite3",)),
    Case("imports, one of them hidden", _IMPORTS, preimport=("colorsys",)),
    Case("libraries", _files("pandas_user", "helper.py"), image="xgboost"),
    Case("output", _files("output"), env=BUFFERED),
    _short("raises", _BEFORE + "def f():\n    1 / 0\nf()\n", env=BUFFERED),
    _short("raises within", _BEFORE + _FROM),
    _short("leaves at once", _BEFORE + "sys.stdout.write('lost')\nos._exit(5)\n", env=BUFFERED),
    _short("leaves with words", _BEFORE + "sys.exit('words')\n", env=BUFFERED),
    _short("leaves with a large status", _BEFORE + "sys.exit(256 + 3)\n"),
    _short("recurses", "def f(n):\n    return f(n + 1)\nf(0)\n"),
    _short("ends in a thread", _BEFORE + _THREAD),
    _short("closes its streams", _BEFORE + "sys.stdout.close()\nos.close(2)\n", env=BUFFERED),
    _short("is no Python", "x = (\n"),
    _short("a byte order mark", b"\xef\xbb\xbfprint('\xe2\x98\x83', __file__)\n"),
    _short("an encoding of its own", "# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n".encode("latin-1")),
    _short("an encoding that is not its own", b"print('\xe9')\n"),
    Case("a link", {"real.py": b"import sys\nprint(__file__, sys.argv, sys.path[0])\n"}, link="real.py"),
    _short("removes itself", "import os\nos.remove(__file__)\nprint(os.path.exists(__file__))\n1 / 0\n"),
    _short("becomes another", _EXEC.format(_THEN), env={"PYTHONPATH": "/nowhere", "LAST": "1"}),
    _short("warns", _WARN + "warnings.warn('three')\n", preimport=("sqlite3",)),
    _short("breakpoint", "breakpoint()\nprint('on')\n"),
    _short("aborts", _BEFORE + "os.abort()\n", **_AS_PROCESS_1),
    _short("crashes", "import ctypes\nprint('x')\nctypes.string_at(0)\n", **_AS_PROCESS_1),
    _short("kills itself", _BEFORE + "os.kill(os.getpid(), 9)\n", **_AS_PROCESS_1),
    _short("terminates itself", _BEFORE + "os.kill(os.getpid(), 15)\n", **_AS_PROCESS_1),
    _short("breaks its pipe", _BEFORE + _SIGPIPE + "print('on')\n", **_AS_PROCESS_1),
    _short("is interrupted", _BEFORE + "raise KeyboardInterrupt\n", **_AS_PROCESS_1),
]
