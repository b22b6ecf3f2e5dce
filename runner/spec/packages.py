"""How packages are called that bring modules of another name."""

from __future__ import annotations

import re

_PACKAGES = {
    "Crypto": "pycryptodome",
    "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "PyMuPDF",
    "git": "GitPython",
    "jwt": "PyJWT",
    "magic": "python-magic",
    "pkg_resources": "setuptools",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}
_SAME = {"xgboost-cpu": "xgboost", "tensorflow-cpu": "tensorflow", "psycopg2-binary": "psycopg2"}
"""Other builds of a package, which bring the same module."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def package_of(module: str) -> str:
    """The package to ask for when a top-level module is wanted; the same name where no other is known."""
    return _PACKAGES.get(module, module)


def module_of(package: str) -> str:
    """The top-level module that a package most likely brings."""
    wanted = normalised(package)
    by_package = {normalised(name): module for module, name in _PACKAGES.items()}
    return by_package.get(wanted) or _SAME.get(wanted) or wanted.replace("-", "_")


def normalised(package: str) -> str:
    """As PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", package).lower()


def required(text: str) -> tuple[str, ...]:
    """The names of the packages that a `requirements.txt` pins or asks for; options, paths and URLs are left out."""
    lines = (line.split(" #")[0].strip() for line in text.splitlines())
    names = (_NAME.match(line) for line in lines if line and not line.startswith(("#", "-", ".", "/")))
    return tuple(found[0] for found in names if found)
