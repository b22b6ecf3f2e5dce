from steps.base import ScriptContract

SAMPLE_ROWS_CONTRACT = ScriptContract(
    entry_point="sample_rows.py",
    expected_input_paths={"orders": "/opt/ml/processing/input/orders"},
    expected_output_paths={"sampled": "/opt/ml/processing/output/sampled"},
    expected_arguments={"max_rows": "100"},
    description="Takes the first rows.",
)
