"""What a framework image's training toolkit gives a script: its arguments and its `SM_*` variables.

Names, forms and order are those of `sagemaker-training` 5.1.4 (`environment.py`, `mapping.py`, `params.py`), and a test
compares with what that version itself produced. `PYTHONPATH` is the caller's: see `training`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner.sagemaker import identity, paths
from runner.sagemaker.job import ContainerJob

PREFIX = "sagemaker_"
"""Hyperparameters that begin with it steer the toolkit and do not reach the script."""
_OF_THE_PLATFORM = frozenset(
    PREFIX + name
    for name in (
        "program",
        "submit_directory",
        "enable_cloudwatch_metrics",
        "region",
        "container_log_level",
        "job_name",
        "s3_output",
    )
)
_OTHERS_OF_THE_PLATFORM = frozenset({"default_user_module_name", "_tuning_objective_metric"})
_DISTRIBUTIONS = tuple(
    f"{PREFIX}{name}_enabled"
    for name in (
        "mpi",
        "parameter_server",
        "distributed_dataparallel",
        "pytorch_ddp",
        "pytorch_xla_multi_worker",
        "multi_worker_mirrored_strategy",
        "torch_distributed",
    )
)


@dataclass(frozen=True, slots=True)
class ScriptMode:
    """What the toolkit finds when it starts."""

    hyperparameters: Mapping[str, str]
    """As in `hyperparameters.json`, those of the platform included."""
    inputs: Mapping[str, Mapping[str, str]]
    """As in `inputdataconfig.json`."""
    resources: Mapping[str, Any]
    """As in `resourceconfig.json`."""
    program: str
    job_name: str
    cpus: int
    framework_module: str | None = None
    """`module:function` of the framework's own entry, when the image or the request sets SAGEMAKER_TRAINING_MODULE."""

    def all_values(self) -> dict[str, Any]:
        return {key: decoded(value) for key, value in self.hyperparameters.items()}

    def own(self) -> dict[str, Any]:
        """The hyperparameters that are the script's."""
        return {key: value for key, value in self.all_values().items() if not _steers(key)}

    def steering(self) -> dict[str, Any]:
        return {key: value for key, value in self.all_values().items() if _steers(key)}

    def arguments(self) -> tuple[str, ...]:
        """`--key value` for each of the script's hyperparameters, sorted; a one-letter key is `-k`."""
        words: list[str] = []
        for key, value in sorted(self.own().items()):
            words += [(f"--{key}" if len(key) > 1 else f"-{key}") if key else "", _argument(value)]
        return tuple(words)

    def variables(self) -> dict[str, str]:
        """Every variable that the toolkit adds to the environment of the script."""
        facts = self._facts()
        left_out = {  # only SM_TRAINING_ENV has these
            "additional_framework_parameters",
            "channel_input_dirs",
            "distribution_hosts",
            "hyperparameters",
            "is_master",
            "is_modelparallel_enabled",
            "is_smddpmprun_installed",
            "is_smddprun_installed",
            "job_name",
            "master_hostname",
            "topology",
        }
        values = {key: value for key, value in facts.items() if key not in left_out}
        values |= {
            "hps": facts["hyperparameters"],
            "framework_params": facts["additional_framework_parameters"],
            "channels": sorted(self.inputs),
            "training_env": facts,
            "user_args": list(self.arguments()),
        }
        values |= {f"channel_{name}": path for name, path in facts["channel_input_dirs"].items()}
        values |= {f"hp_{name}": value for name, value in facts["hyperparameters"].items()}
        return {f"SM_{key.upper()}": _variable(value) for key, value in values.items()} | {
            "CURRENT_HOST": facts["current_host"],
            "SAGEMAKER_JOB_NAME": str(self.steering().get(f"{PREFIX}job_name", "")),
            "SAGEMAKER_REGION": str(self.steering().get(f"{PREFIX}region", "")),
        }

    def _facts(self) -> dict[str, Any]:
        """The toolkit's `Environment`, property by property."""
        steering = self.steering()
        return {
            **self._cluster(steering),
            "additional_framework_parameters": {
                key: value
                for key, value in steering.items()
                if key not in _OF_THE_PLATFORM and key not in _OTHERS_OF_THE_PLATFORM
            },
            "channel_input_dirs": {name: f"{paths.CHANNELS}/{name}" for name in self.inputs},
            "framework_module": self.framework_module,
            "hyperparameters": self.own(),
            "input_config_dir": paths.TRAINING_CONFIG,
            "input_data_config": self.inputs,
            "input_dir": paths.TRAINING_INPUT,
            "is_modelparallel_enabled": None,
            "is_smddpmprun_installed": False,
            "is_smddprun_installed": False,
            "job_name": self.job_name,
            "log_level": steering.get(f"{PREFIX}container_log_level", 20),
            "model_dir": paths.MODEL,
            "module_dir": str(steering.get(f"{PREFIX}submit_directory", paths.TRAINING_CODE)),
            "module_name": self.program.removesuffix(".py"),
            "num_cpus": self.cpus,
            "num_gpus": 0,
            "num_neurons": 0,
            "output_data_dir": paths.OUTPUT_DATA,
            "output_dir": paths.OUTPUT,
            "output_intermediate_dir": paths.OUTPUT_INTERMEDIATE,
            "topology": [],
            "user_entry_point": self.program,
        }

    def _cluster(self, steering: Mapping[str, Any]) -> dict[str, Any]:
        resources = self.resources
        current = resources["current_group_name"]
        groups = {group["instance_group_name"]: group for group in resources["instance_groups"]}
        default = [current] if any(steering.get(name) for name in _DISTRIBUTIONS) else []
        distributed = steering.get(f"{PREFIX}distribution_instance_groups", default)
        distribution_hosts = [host for name, group in groups.items() if name in distributed for host in group["hosts"]]
        master = (distribution_hosts or resources["hosts"])[0]
        return {
            "current_host": resources["current_host"],
            "current_instance_group": current,
            "current_instance_group_hosts": groups[current]["hosts"],
            "current_instance_type": resources["current_instance_type"],
            "distribution_hosts": distribution_hosts,
            "distribution_instance_groups": distributed,
            "hosts": resources["hosts"],
            "instance_groups": list(groups),
            "instance_groups_dict": groups,
            "is_hetero": len(groups) > 1,
            "is_master": master == resources["current_host"],
            "master_hostname": master,
            "network_interface_name": resources["network_interface_name"],
            "resource_config": resources,
        }


def platform_hyperparameters(program: str, job_name: str, submit_directory: str) -> dict[str, str]:
    """What the SDK's framework estimators add to a request, each value as JSON: the toolkit reads them, and a script
    that reads `hyperparameters.json` itself meets them."""
    added = {
        f"{PREFIX}submit_directory": submit_directory,
        f"{PREFIX}program": program,
        f"{PREFIX}job_name": job_name,
        f"{PREFIX}region": identity.REGION,
    }
    return {key: json.dumps(value) for key, value in added.items()}


def with_image_path(job: ContainerJob, image_env: Iterable[tuple[str, str]]) -> ContainerJob:
    """The job with the image's own PYTHONPATH behind the code directory, unless the request has one: the toolkit keeps
    it, and only who knows the image can."""
    own = dict(image_env).get("PYTHONPATH")
    if own is None or ("PYTHONPATH", paths.TRAINING_CODE) not in job.env:
        return job
    whole = f"{paths.TRAINING_CODE}:{own}"
    env = tuple((key, whole if key == "PYTHONPATH" else value) for key, value in job.env)
    return replace(job, env=env)


def decoded(value: str) -> Any:
    """A hyperparameter as the toolkit reads it: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _steers(key: str) -> bool:
    return key.startswith(PREFIX) or key in _OTHERS_OF_THE_PLATFORM


def _argument(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return str(value)


def _variable(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
