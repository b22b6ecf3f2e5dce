"""How a `RuntimeTester` tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from runner.testing.specs import PipelineTestingSpec, Writable

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class RuntimeTestingConfiguration(Writable):
    """At least one of `pipeline_spec` and `workspace_dir`; every other field has the effect that its line tells."""

    pipeline_spec: PipelineTestingSpec | None = None
    workspace_dir: str | None = None
    """Where runs, specs and scripts are; default: the pipeline's `test_workspace_root`."""
    timeout_seconds: float = Field(default=300, gt=0)
    """A script that takes longer is stopped and has failed; a spec's own `timeout` wins."""
    enable_logging: bool = True
    """Tell the progress to the logger `runner.testing`."""
    log_level: Level = "INFO"
    """The least important messages that are told."""
    cleanup_after_test: bool = True
    """Remove a test's run directory when it has passed; a failed one's logs stay, for the person who debugs."""
    preserve_outputs: bool = False
    """Keep what the scripts wrote in the run directory, whatever `cleanup_after_test` says."""
    test_individual_scripts: bool = True
    """`RuntimeTester.test`: test each script by itself."""
    test_data_compatibility: bool = True
    """`RuntimeTester.test`: test each edge by itself."""
    test_pipeline_flow: bool = True
    """`RuntimeTester.test`: test the whole pipeline, chained."""
    enable_enhanced_features: bool = False
    """Use the aliases of enhanced specs; on by itself when the pipeline has any."""
    enable_logical_matching: bool = False
    """Bind edges by similar names, too; on by itself when the pipeline has enhanced specs."""
    use_workspace_aware: bool = False
    """Look for scripts and inputs below the pipeline's `workspace_aware_root` first, and deliver outputs there."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.pipeline_spec is None and self.workspace_dir is None:
            raise ValueError("at least one of 'pipeline_spec' and 'workspace_dir' is needed")
        root = self.pipeline_spec.workspace_aware_root if self.pipeline_spec else None
        if self.use_workspace_aware and root is None:
            raise ValueError("use_workspace_aware needs a pipeline_spec with a workspace_aware_root")
        if self.use_workspace_aware and root is not None and not Path(root).expanduser().is_dir():
            raise ValueError(f"workspace_aware_root: no directory '{root}'")
        if self.pipeline_spec is not None and self.pipeline_spec.has_enhanced_specs():
            self.__dict__["enable_enhanced_features"] = self.__dict__["enable_logical_matching"] = True
        return self

    @property
    def root(self) -> str:
        """The workspace."""
        return self.workspace_dir or (self.pipeline_spec.test_workspace_root if self.pipeline_spec else "")

    @property
    def project(self) -> Path | None:
        """Root of the project whose scripts and data come first."""
        spec = self.pipeline_spec if self.use_workspace_aware else None
        return Path(spec.workspace_aware_root).expanduser() if spec and spec.workspace_aware_root else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `from_dict` takes it."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Raises ValidationError (a ValueError)."""
        return cls.model_validate(data)
