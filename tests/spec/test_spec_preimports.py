"""What may be imported before a script starts, from its text and from that of its own modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec import preimports
from runner.spec.libraries import DENIED, KNOWN, objection
from runner.spec.preimports import Early, early_imports


def early(root: Path, script: str, **files: str) -> Early:
    """`files`: paths below the script's directory, with `/` written as `__in__` and without `.py`."""
    for name, text in {"script": script, **files}.items():
        path = root / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return early_imports(root / "script.py", (root,))


CHANGES = "a statement that may change what an import finds or does"


@pytest.mark.parametrize(
    ("text", "found", "end"),
    [
        ('"""Doc."""\nfrom __future__ import annotations\nimport os\nimport pandas, numpy\n', ("pandas", "numpy"), 0),
        ("import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport numpy\n", (), 2),
        ("import os\nos.environ.setdefault('OMP_NUM_THREADS', '1')\nimport numpy\n", (), 2),
        ("import numpy\nimport sys\nsys.path.insert(0, 'vendor')\nimport pandas\n", ("numpy",), 3),
        ("import sys\nsys.dont_write_bytecode = True\nimport numpy\n", (), 2),
        ("import warnings\nwarnings.filterwarnings('ignore')\nimport numpy\n", (), 2),
        ("import settings_of_ours\nimport numpy\n", (), 1),
        ("from . import x\nimport numpy\n", (), 1),
        ("try:\n    import lightgbm\nexcept ImportError:\n    pass\n", (), 1),
        ("from sklearn.metrics import auc\nx = 1\n", ("sklearn.metrics",), 0),
        ("from sklearn import metrics, ensemble, Any\n", ("sklearn:ensemble,metrics",), 0),
        ("import sklearn.ensemble as e\n", ("sklearn.ensemble",), 0),
        ("from pandas import *\n", ("pandas",), 0),
        ("import numpy as np\nX: int = 3\nY = [1, 'a']\nimport pandas\n", ("numpy", "pandas"), 0),
        ("from pathlib import Path\nHERE = Path(__file__).parent\nimport pandas\n", ("pandas",), 0),
        ("from pathlib import Path\nHERE = Path(__file__).resolve().parent / 'a'\nimport pandas\n", ("pandas",), 0),
        ("import os\nX = os.environ.get('A', '')\nimport pandas\n", ("pandas",), 0),
        ("import os\nX = os.environ.pop('A')\nimport pandas\n", (), 2),
        ("X = f(g).resolve()\nimport pandas\n", (), 1),
        ("@dataclass(frozen=True)\nclass A:\n    x: int = 1\nimport pandas\n", ("pandas",), 0),
        ("@dataclass(frozen=f())\nclass A:\n    x: int = 1\nimport pandas\n", (), 2),
        ("class A:\n    @property\n    def f(self): g()\nimport pandas\n", ("pandas",), 0),
        ("import logging\nLOG = logging.getLogger(__name__)\nimport pandas\n", ("pandas",), 0),
        ("def f(a: int = 3) -> str:\n    return g()\nimport pandas\n", ("pandas",), 0),
        ("def f(a=g()):\n    pass\nimport pandas\n", (), 1),
        ("@g\ndef f():\n    pass\nimport pandas\n", (), 2),
        ("class A:\n    x = 1\n    def f(self): g()\nimport pandas\n", ("pandas",), 0),
        ("class A:\n    x = g()\nimport pandas\n", (), 1),
        ("class A(metaclass=g()):\n    pass\nimport pandas\n", (), 1),
        ("X = [g() for _ in y]\nimport pandas\n", (), 1),
        ("a.b = 1\nimport pandas\n", (), 1),
        ("__path__ = []\nimport pandas\n", (), 1),
        ("if TYPE_CHECKING:\n    import torch\nimport pandas\n", ("pandas",), 0),
        ("if __name__ == '__main__':\n    main()\nimport pandas\n", (), 1),
    ],
)
def test_they_end_where_the_script_could_tell(tmp_path: Path, text: str, found: tuple[str, ...], end: int) -> None:
    answer = early(tmp_path, text)
    assert answer.modules == found
    assert (answer.end.line if answer.end else 0) == end


def test_the_scripts_own_modules_are_gone_through_in_pythons_order(tmp_path: Path) -> None:
    answer = early(
        tmp_path,
        "import helpers.deep\nfrom tools import load, N\nimport scipy\n",
        helpers__in____init__="import numpy\nfrom .side import x\n",
        helpers__in__side="import yaml\nfrom . import other\nx = 1\n",
        helpers__in__other="import requests\n",
        helpers__in__deep="import pandas\n\ndef f():\n    import torch\n",
        tools="import joblib\nN = 3\n\ndef load():\n    return joblib\n\nif __name__ == '__main__':\n    load()\n",
    )
    assert answer == Early(("numpy", "yaml", "requests", "pandas", "joblib", "scipy"))


@pytest.mark.parametrize(
    ("helper", "found", "end"),
    [
        ("import numpy\nimport os\nos.environ['A'] = 'b'\n", ("numpy",), f"helpers.py:3: {CHANGES}"),
        ("import numpy\nsetup()\n", ("numpy",), f"helpers.py:2: {CHANGES}"),
        ("import numpy\nfrom .x import y\n", ("numpy",), "helpers.py:2: a relative import outside of a package"),
        ("import numpy\nx = (\n", (), "script.py:1: module 'helpers' cannot be read, or is not valid Python"),
        ("import helpers.sub\n", (), "helpers.py:1: there is no module 'helpers.sub'"),
        ("import torch\n", (), f"helpers.py:1: 'torch' {DENIED['torch']}"),
        ("import json\n", (), "helpers.py:1: 'json' is beside the script, where it may hide the standard library's"),
        ("import fast\n", (), "helpers.py:1: 'fast' is beside the script, compiled"),
        (
            "import yaml\n",
            (),
            "helpers.py:1: 'yaml' is beside the script, as a directory without `__init__.py`, and the image's own may"
            " win",
        ),
        ("from pack import *\n", (), "helpers.py:1: 'pack' is a package, and says itself what its `*` is"),
    ],
)
def test_a_module_of_the_users_ends_them_too(tmp_path: Path, helper: str, found: tuple[str, ...], end: str) -> None:
    (tmp_path / "json.py").write_text("")
    (tmp_path / "fast.cpython-311-x86_64-linux-gnu.so").write_text("")
    for package in ("yaml", "pack"):
        (tmp_path / package).mkdir()
    (tmp_path / "yaml" / "a.py").write_text("")
    (tmp_path / "pack" / "__init__.py").write_text("")
    answer = early(tmp_path, "import helpers\nimport pandas\n", helpers=helper)
    assert (answer.modules, str(answer.end)) == (found, end)


def test_a_circle_of_imports_comes_to_an_end(tmp_path: Path) -> None:
    answer = early(tmp_path, "import a\nimport pandas\n", a="import b\nimport numpy\n", b="import a\nimport scipy\n")
    assert answer.modules == ("scipy", "numpy", "pandas")


def test_a_neighbour_wins_over_the_image(tmp_path: Path) -> None:
    assert early(tmp_path, "import pandas\nimport numpy\n", pandas="import yaml\n").modules == ("yaml", "numpy")


def test_a_script_that_is_sent_alone_has_no_neighbours(tmp_path: Path) -> None:
    (tmp_path / "pandas.py").write_text("import yaml\n")
    (tmp_path / "helpers.py").write_text("import yaml\n")
    (tmp_path / "script.py").write_text("import pandas\nimport helpers\n")
    answer = early_imports(tmp_path / "script.py", ())
    assert answer.modules == ("pandas",)
    assert answer.end is not None
    assert answer.end.module == "helpers"


def test_the_second_root_counts_where_the_first_has_no_such_module(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name, text in {"both": "import yaml\n", "upper": "import numpy\n", "scripts/both": "import scipy\n"}.items():
        (tmp_path / f"{name}.py").write_text(text)
    script = tmp_path / "scripts" / "train.py"
    script.write_text("import both, upper\n")
    assert early_imports(script, (script.parent, tmp_path)).modules == ("scipy", "numpy")


def test_no_more_is_read_than_is_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"m{n}": f"import m{n + 1}\n" for n in range(200)}
    answer = early(tmp_path, "import yaml\nimport m0\n", **files)
    assert answer.modules == ("yaml",)
    assert str(answer.end) == f"m{preimports.MOST_FILES - 2}.py:1: 64 files or 1,048,576 bytes were read by then"
    monkeypatch.setattr(preimports, "MOST_BYTES", 10)
    assert str(early(tmp_path, "import yaml\nimport m0\n").end).startswith("script.py:2: 64 files or 10 bytes")


def test_a_script_that_is_no_python_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"script\.py:1:5: not valid Python"):
        early(tmp_path, "x = (\n")


@pytest.mark.parametrize("library", sorted(DENIED))
def test_a_denied_library_ends_them_with_its_reason(tmp_path: Path, library: str) -> None:
    answer = early(tmp_path, f"import numpy\nfrom {library}.a.b import c\nimport pandas\n")
    assert answer.modules == ("numpy",)
    assert str(answer.end) == f"script.py:2: '{library}' {DENIED[library]}"


def test_every_library_is_either_known_or_denied_or_nobody_knows() -> None:
    assert not KNOWN & set(DENIED)
    assert all(not objection(f"{name}.x") for name in KNOWN)
    assert objection("somebodys").startswith("is not among")
