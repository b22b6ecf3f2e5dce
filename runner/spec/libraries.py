"""Which libraries an interpreter may import before its script starts, and which not, with the reason.

A library may be imported early when its import looks only at what is there by then: the image, the environment and the
command line; not at /opt/ml or the working directory, which come later. Whether it does cannot be seen from outside
(a look whether a file exists leaves no trace), so one that nobody has looked into is not imported early.
"""

from __future__ import annotations

KNOWN = frozenset(
    # Numbers, tables, models. `matplotlib` looks for a matplotlibrc in the working directory: the hook looks, too.
    {"catboost", "imblearn", "joblib", "lightgbm", "matplotlib", "numpy", "pandas", "patsy", "polars", "pyarrow"}
    | {"scipy", "seaborn", "sklearn", "statsmodels", "threadpoolctl", "xgboost"}
    # AWS and the web.
    | {"boto3", "botocore", "certifi", "charset_normalizer", "idna", "jmespath", "requests", "s3transfer", "urllib3"}
    # Files and text.
    | {"PIL", "bs4", "dateutil", "jinja2", "jsonschema", "lxml", "markupsafe", "openpyxl", "orjson", "pytz", "tabulate"}
    | {"toml", "tomli", "tzdata", "yaml"}
    # Small helpers.
    | {"attr", "attrs", "click", "cloudpickle", "packaging", "psutil", "six", "tqdm", "typing_extensions"}
)
"""Libraries whose import was looked into: it depends on nothing that a step brings with it."""

_CONTEXT = "makes a GPU context when it is imported"
_CONFIGURED = "reads configuration files when it is imported, which may be among the step's data"
_CONTAINER = "looks at /opt/ml when it is imported"
_FRAMEWORK = "loads GPU libraries and starts native threads when it is imported, and holds much memory while it waits"

DENIED = {
    "cudf": _CONTEXT,
    "cuml": _CONTEXT,
    "cupy": "loads the GPU's libraries when it is imported",
    "dask": _CONFIGURED,
    "distributed": _CONFIGURED,
    "h5py": "starts MPI when it is imported, where it was built with it",
    "jax": _FRAMEWORK,
    "keras": _FRAMEWORK,
    "mpi4py": "starts MPI when it is imported",
    "mxnet": _FRAMEWORK,
    "numba": "reads `.numba_config.yaml` of the working directory when it is imported",
    "pkg_resources": "lists every place of `sys.path` when it is imported, and the script's own is not there yet",
    "pycuda": _CONTEXT,
    "ray": "changes `sys.path` when it is imported",
    "rmm": _CONTEXT,
    "sagemaker": _CONFIGURED,
    "sagemaker_containers": _CONTAINER,
    "sagemaker_inference": _CONTAINER,
    "sagemaker_training": _CONTAINER,
    "smdebug": _CONTAINER,
    "tensorflow": _FRAMEWORK,
    "torch": _FRAMEWORK,
    "torchvision": _FRAMEWORK,
    "transformers": _FRAMEWORK,
}
"""Libraries that must not be imported early, and why."""


def objection(module: str) -> str:
    """Why a module, by its dotted name, is not imported early; empty when it may be."""
    top = module.partition(".")[0]
    if top in KNOWN:
        return ""
    return DENIED.get(top, "is not among the libraries of which it is known what their import looks at")
