"""`RuntimeTester`: scripts, the data between them and whole pipelines, run in containers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.data.files import remove_tree
from runner.engine.base import Engine
from runner.spec.dag import PipelineDAG
from runner.spec.document import shown
from runner.spec.matching import DEFAULT_THRESHOLD, PathMatch
from runner.testing import edges, execution, flowfile, matching
from runner.testing.builder import PipelineTestingSpecBuilder
from runner.testing.changes import changed, with_main_params
from runner.testing.config import RuntimeTestingConfiguration
from runner.testing.flow import Bench, Flow
from runner.testing.inputs import checked_sample
from runner.testing.results import DataCompatibilityResult, PipelineResult, ScriptTestResult
from runner.testing.specs import PipelineTestingSpec, ScriptExecutionSpec, SpecFault


class RuntimeTester:
    """Tests scripts as SageMaker would run them, and says truthfully what happened.

    1. Every script runs in a container of its own; no test can change what the next one finds.
    2. A script that cannot be run is a result with `success` False, never an exception; an exception says that the
       test itself is wrong (`FileNotFoundError`, `ValueError`) or that the machine is (`EnvironmentFault`).
    3. Two testers, in one process or two, may share a workspace.
    """

    def __init__(
        self,
        config: RuntimeTestingConfiguration | str | os.PathLike[str],
        enable_logical_matching: bool = True,
        semantic_threshold: float = DEFAULT_THRESHOLD,
        *,
        engine: Engine | None = None,
    ) -> None:
        """`config` may be the workspace directory alone. Without an `engine` this machine's Docker is used."""
        if not isinstance(config, RuntimeTestingConfiguration):
            config = RuntimeTestingConfiguration(
                workspace_dir=os.fspath(config), enable_logical_matching=enable_logical_matching,
                enable_enhanced_features=True,
            )  # fmt: skip
        if not 0 < semantic_threshold <= 1:
            raise SpecFault(f"semantic_threshold is above 0 and at most 1, got {semantic_threshold:g}")
        self.config = config
        self.workspace_dir = Path(config.root)
        self.pipeline_spec = config.pipeline_spec
        self.semantic_threshold = semantic_threshold
        project = () if config.project is None else (config.project,)
        log = execution.logger(config.log_level if config.enable_logging else None)
        self.builder = PipelineTestingSpecBuilder(config.root, search=project, log=log)
        self._bench = Bench(config, self.builder, self._threshold, engine)

    @property
    def enable_logical_matching(self) -> bool:
        return self.config.enable_logical_matching

    # Scripts

    def test_script(self, script_name: str, user_config: Mapping[str, Any] | None = None) -> ScriptTestResult:
        """Run one script by itself, by its saved spec, else by its contract, else by the defaults.

        `user_config` are fields of a `ScriptExecutionSpec` that win. Raises FileNotFoundError for a script that is
        nowhere.
        """
        return self.test_script_with_spec(self._spec_of(script_name, user_config))

    def _spec_of(self, name: str, user_config: Mapping[str, Any] | None = None) -> ScriptExecutionSpec:
        """Raises FileNotFoundError for a script that is nowhere; what lies at a `script_path` is the test's to tell."""
        spec = self.builder.spec_for(self._named(name), save=False)
        if user_config:
            spec = changed(spec, user_config)
        if spec.script_path is None:
            self._find_script_path(spec.script_name)
        return spec

    def test_script_with_spec(
        self, spec: ScriptExecutionSpec, main_params: Mapping[str, Any] | None = None
    ) -> ScriptTestResult:
        """Run the script of a spec by itself. `main_params`, as `get_script_main_params` gives them, win over it."""
        spec = with_main_params(spec, main_params)
        node = spec.step_name or spec.script_name
        flow = Flow(spec.script_name, {node: spec}, PipelineDAG([node]))
        return self._bench.run(flow).script_results[node]

    # Edges

    def test_data_compatibility(
        self, script_a: str, script_b: str, sample_data: Mapping[str, Any] | None = None
    ) -> DataCompatibilityResult:
        """Run `script_a`, then `script_b` on what it wrote. `sample_data` (columns of values) is the first one's input
        where there is none."""
        specs = [self._spec_of(name) for name in (script_a, script_b)]
        default = self._generate_sample_data()
        sample = None if sample_data is None or sample_data == default else checked_sample(sample_data)
        return self._pair(specs[0], specs[1], sample, default)

    def test_data_compatibility_with_specs(
        self,
        spec_a: ScriptExecutionSpec,
        spec_b: ScriptExecutionSpec,
        main_params_a: Mapping[str, Any] | None = None,
        main_params_b: Mapping[str, Any] | None = None,
    ) -> DataCompatibilityResult:
        """Run the script of `spec_a`, then that of `spec_b` on what it wrote."""
        return self._pair(with_main_params(spec_a, main_params_a), with_main_params(spec_b, main_params_b))

    def _pair(
        self,
        spec_a: ScriptExecutionSpec,
        spec_b: ScriptExecutionSpec,
        sample: Mapping[str, Any] | None = None,
        fallback: Mapping[str, Any] | None = None,
    ) -> DataCompatibilityResult:
        node_a, node_b = (spec.step_name or spec.script_name for spec in (spec_a, spec_b))
        if node_a == node_b:
            raise SpecFault(f"both specs are of step '{node_a}'", remedy="Give them different step_names.")
        name = f"{spec_a.script_name}-{spec_b.script_name}"
        dag = PipelineDAG([node_a, node_b], [(node_a, node_b)])
        flow = Flow(name, {node_a: spec_a, node_b: spec_b}, dag, sample=sample, fallback=fallback)
        result = self._bench.run(flow)
        return result.data_flow_results[f"{node_a}->{node_b}"]

    # Pipelines

    def test_pipeline_flow(self, pipeline_config: Mapping[str, Any]) -> dict[str, Any]:
        """Run every step of `{"steps": {node: {"script": ...}}}` once, chained; see `PipelineResult.to_flow`.

        Where neither `edges` nor the steps' inputs say how data flows, the steps follow each other as they are written.
        """
        spec = flowfile.pipeline_spec(pipeline_config, self.builder)
        return self.pipeline_result(spec, loose=flowfile.in_a_row(pipeline_config)).to_flow()

    def test_pipeline_flow_with_spec(self, pipeline_spec: PipelineTestingSpec) -> dict[str, Any]:
        """Run every node once, chained; descendants of a failed node are blocked. See `PipelineResult.to_flow`."""
        return self.pipeline_result(pipeline_spec).to_flow()

    def pipeline_result(self, pipeline_spec: PipelineTestingSpec, *, loose: bool = False) -> PipelineResult:
        """As `test_pipeline_flow_with_spec`, as an object. `loose`: the edges are a guess, and one that cannot be bound
        only gives the order. Raises SpecFault for nodes without a spec."""
        if not pipeline_spec.dag.nodes:
            raise SpecFault("the pipeline has no steps: there is nothing to test")
        lacking = [node for node in pipeline_spec.dag.nodes if node not in pipeline_spec.script_specs]
        if lacking:
            raise SpecFault(
                "no spec for: " + ", ".join(lacking) + "\n" + "\n".join(
                    f"  builder.update_script_spec('{node}', input_paths={{...}}, output_paths={{...}})"
                    for node in lacking
                )
            )  # fmt: skip
        name = pipeline_spec.pipeline_name or "pipeline"
        return self._bench.run(
            Flow(
                name,
                pipeline_spec.script_specs,
                pipeline_spec.dag,
                pipeline_spec.data_flow_specs,
                aliases=pipeline_spec.has_enhanced_specs(),
                loose=loose,
            )
        )

    def test(self) -> dict[str, Any]:
        """Test the configured pipeline in the ways that the configuration turns on: `scripts` (each by itself),
        `data_compatibility` (each edge by itself), `pipeline_flow`; and `success` of all of them.

        Raises SpecFault without a `pipeline_spec`, or with nothing turned on.
        """
        spec, config = self.pipeline_spec, self.config
        if spec is None:
            raise SpecFault("there is no pipeline_spec to test")
        found: dict[str, Any] = {}
        if config.test_individual_scripts:
            found["scripts"] = {node: self.test_script_with_spec(each) for node, each in spec.script_specs.items()}
        if config.test_data_compatibility:
            pairs = [(spec.script_specs[a], spec.script_specs[b]) for a, b in spec.dag.edges]
            names = [f"{a}->{b}" for a, b in spec.dag.edges]
            found["data_compatibility"] = {
                name: self.test_data_compatibility_with_specs(*pair) for name, pair in zip(names, pairs, strict=True)
            }
        if config.test_pipeline_flow:
            found["pipeline_flow"] = self.test_pipeline_flow_with_spec(spec)
        if not found:
            raise SpecFault("nothing to test: all of test_individual_scripts, test_data_compatibility and "
                            "test_pipeline_flow are off")  # fmt: skip
        right = [each.success for each in found.get("scripts", {}).values()]
        right += [each.compatible for each in found.get("data_compatibility", {}).values()]
        right += [found["pipeline_flow"]["pipeline_success"]] if "pipeline_flow" in found else []
        return {**found, "success": all(right)}

    # Names

    def get_path_matches(self, spec_a: ScriptExecutionSpec, spec_b: ScriptExecutionSpec) -> list[PathMatch]:
        """Every output of the first that fits an input of the second, the surest first."""
        return matching.matches(spec_a, spec_b, self._threshold)

    def generate_matching_report(self, spec_a: ScriptExecutionSpec, spec_b: ScriptExecutionSpec) -> dict[str, Any]:
        """The matches, what is left over on both sides, and what to do about it."""
        return matching.report(spec_a, spec_b, self._threshold)

    def validate_pipeline_logical_names(self, pipeline_spec: PipelineTestingSpec) -> dict[str, Any]:
        """Whether every edge can be bound: `overall_valid`, `edge_validations`, `recommendations`, `summary`."""
        return matching.validate(pipeline_spec, self._bench.subjects(pipeline_spec.script_specs), self._threshold)

    def _named(self, script_name: str) -> str:
        """The name without `.py`. Raises SpecFault for a path."""
        if "/" in script_name:
            name = Path(script_name).stem
            remedy = f"Name it '{name}', with its directory as the workspace; or give a spec with script_path."
            raise SpecFault(f"'{script_name}' is a path: scripts are tested by their names", remedy=remedy)
        return script_name.removesuffix(".py")

    # Pieces that the documents name

    def _find_script_path(self, script_name: str) -> str:
        """Raises FileNotFoundError that says where it looked, and the nearest names."""
        return str(self.builder.script_path(script_name))

    def _generate_sample_data(self) -> dict[str, Any]:
        """A small table, always the same."""
        from runner.data.synthetic import default_sample

        return default_sample()

    def _setup_test_environment(self, script_name: str) -> dict[str, Any]:
        """Make `test_{script_name}` in the workspace with a directory for each input and output."""
        folder = self.workspace_dir / f"test_{script_name}"
        spec = self.builder.spec_for(script_name, save=False)
        places = {
            kind: {name: str(folder / kind / name) for name in given}
            for kind, given in (("input", spec.input_paths), ("output", spec.output_paths))
        }
        for path in (*places["input"].values(), *places["output"].values()):
            Path(path).mkdir(parents=True, exist_ok=True)
        return {"test_dir": str(folder), "input_paths": places["input"], "output_paths": places["output"]}

    def _cleanup_test_environment(self, test_dir: str | os.PathLike[str]) -> None:
        """Remove what `_setup_test_environment` made. Raises SpecFault for any other directory."""
        folder = Path(test_dir)
        if folder.resolve().parent != self.workspace_dir.resolve() or not folder.name.startswith("test_"):
            raise SpecFault(f"{shown(folder)} is no test directory of {shown(self.workspace_dir)}: it stays")
        remove_tree(folder)

    def _find_valid_output_files(self, output_dir: str | os.PathLike[str]) -> list[Path]:
        """The files below a directory that can be read as what they are, sorted; none that are hidden or empty."""
        return edges.valid_files(Path(output_dir))

    @property
    def _threshold(self) -> float | None:
        return self.semantic_threshold if self.config.enable_logical_matching else None
