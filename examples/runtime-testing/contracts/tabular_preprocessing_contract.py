from steps.base import ScriptContract

TABULAR_PREPROCESSING_CONTRACT = ScriptContract(
    entry_point="tabular_preprocessing.py",
    expected_input_paths={"DATA": "/opt/ml/processing/input/data"},
    expected_output_paths={"processed_data": "/opt/ml/processing/output"},
    expected_arguments={"job_type": None, "batch_size": None},
    required_env_vars=["LABEL_FIELD"],
    optional_env_vars={"TRAIN_RATIO": "0.7", "TEST_VAL_RATIO": "0.5"},
    framework_requirements={"pandas": ">=2"},
    description="Splits a table into train, validation and test.",
)
