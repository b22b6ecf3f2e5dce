"""SageMaker's local mode, as PyPI has it, in an environment of its own; it calls Compose once for each step."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from bench import environments
from bench.bench import MeasurementError, NotAvailableError
from bench.contenders import Contender

LOCAL, EXECUTION = "SageMaker local mode", "SageMaker local mode, execution only"
REQUIREMENTS = ("sagemaker>=2.250,<3",)
NETWORK = "sagemaker-local"
CONFIG = 'SchemaVersion: "1.0"\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n'
"""A measurement of local mode must not hold the time that its telemetry waits for a network."""


class LocalMode(Contender):
    """The pipeline of ProcessingSteps that `local_mode_program.py` makes of the work load; no account and no S3."""

    name = LOCAL
    every = 3  # it takes about as long as all others together

    def ready(self) -> None:
        _needs_compose()
        self._python = environments.python("sagemaker", REQUIREMENTS)
        self._network_was_there = bool(_docker("network", "ls", "--quiet", "--filter", f"name=^{NETWORK}$"))
        home = self.root / "home"
        home.mkdir()
        (home / "sagemaker.yaml").write_text(CONFIG)
        self._env = self.bench.env | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(home / "sagemaker.yaml"),
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        nodes = [{"name": node.name, "script": node.script, "source": node.source} for node in self.load.nodes]
        document = {"root": str(self.root), "shared": str(self.shared), "image": self.bench.image(self.load.image)}
        (self.root / "load.json").write_text(json.dumps({**document, "nodes": nodes}))

    def before(self) -> None:
        self.bench.fresh(self.root / "containers")

    def run(self) -> dict[str, float]:
        program = Path(__file__).with_name("local_mode_program.py")
        out, took = self.bench.timed([str(self._python), str(program), str(self.root / "load.json")], self._env)
        told = json.loads(out.splitlines()[-1])
        if told["status"] != "Succeeded":
            raise MeasurementError(f"local mode ended as {told['status']}: {told['reason']}")
        return {LOCAL: took, EXECUTION: float(told["execution"])}

    def after(self) -> None:
        """Local mode leaves a stopped container for each step."""
        listed = _docker("ps", "-a", "--format", '{{.ID}}|{{.Label "com.docker.compose.project.working_dir"}}')
        rows = [line.split("|", 1) for line in listed.splitlines()]
        ours = [row[0] for row in rows if Path(row[1]).is_relative_to(self.root)]
        if ours:
            _docker("rm", "--force", *ours)
        shutil.rmtree(self.root / "containers", ignore_errors=True)
        super().after()

    def close(self) -> None:
        if not self._network_was_there and _docker("network", "ls", "--quiet", "--filter", f"name=^{NETWORK}$"):
            _docker("network", "rm", NETWORK)


def _docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MeasurementError(f"docker {' '.join(words[:3])} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


def _needs_compose() -> None:
    """What local mode looks for: `docker compose` version 2, else a program `docker-compose`."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
    if "v2" not in plugin.stdout and shutil.which("docker-compose") is None:
        raise NotAvailableError("local mode needs Compose (Debian: `apt-get install docker-compose`)")
