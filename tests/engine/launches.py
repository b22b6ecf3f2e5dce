"""Launches by hand: a script's text to a `Launch`, as the pipeline room would make it."""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path
from typing import Any

from runner.engine.base import BoundInput, BoundOutput, Image, Launch, Outcome, StartMode
from runner.sagemaker.job import ContainerJob, Limits

CODE = "/opt/ml/processing/input/code"
OUTPUT = "/opt/ml/processing/output/out"


class Workbench:
    """Makes launches in one directory and runs them on one engine."""

    def __init__(self, engine: Any, root: Path, image: Image) -> None:
        self.engine = engine
        self.root = root
        self.image = image
        self.run_id = f"test-{uuid.uuid4().hex[:8]}"

    def launch(
        self,
        script: str,
        *,
        mode: StartMode | None = None,
        args: tuple[str, ...] = (),
        env: tuple[tuple[str, str], ...] = (),
        limits: Limits | None = None,
        inputs: dict[str, Path] | None = None,
        private: str = "overlay",
        preimport: tuple[str, ...] = (),
        user: str | None = None,
        network: str = "none",
        working_dir: str | None = None,
        entrypoint: tuple[str, ...] | None = ("python3", f"{CODE}/script.py"),
    ) -> Launch:
        step = self.root / "steps" / uuid.uuid4().hex[:8]
        for name in ("code", "attempt/out", "config/0", "config/1"):
            (step / name).mkdir(parents=True)
        (step / "code" / "script.py").write_text(script)
        job = ContainerJob(
            step=step.name,
            step_type="processing",
            image=self.image.reference,
            entrypoint=entrypoint,
            arguments=args,
            env=env,
            limits=limits or Limits(grace=1.0),
            network=network,
            working_dir=working_dir,
        )
        image = dataclasses.replace(self.image, mode=mode or self.image.mode)
        if user is not None:
            image = dataclasses.replace(image, user=user)
        bound = [
            BoundInput(name, f"/opt/ml/processing/input/{name}", path, private) for name, path in (inputs or {}).items()
        ]
        return Launch(
            job=job,
            image=image,
            run_id=self.run_id,
            run_root=self.root,
            inputs=(BoundInput("code", CODE, step / "code"), *bound),
            outputs=(BoundOutput("out", OUTPUT, step / "attempt" / "out"),),
            config=(
                BoundOutput("config-0", "/opt/ml/config", step / "config" / "0"),
                BoundOutput("config-1", "/opt/ml/output", step / "config" / "1"),
            ),
            scratch=step / "scratch",
            preimport=preimport,
        )

    def run(self, launch: Launch) -> Ended:
        container = self.engine.prepare(launch)
        stdout, stderr = bytearray(), bytearray()
        try:
            container.run(stdout.extend, stderr.extend)
            outcome = container.confirm()
        finally:
            container.remove()
        return Ended(outcome, bytes(stdout), bytes(stderr), launch)

    def script(self, script: str, **options: Any) -> Ended:
        return self.run(self.launch(script, **options))


@dataclasses.dataclass(frozen=True)
class Ended:
    outcome: Outcome
    stdout: bytes
    stderr: bytes
    launch: Launch

    @property
    def output(self) -> Path:
        return self.launch.outputs[0].host
