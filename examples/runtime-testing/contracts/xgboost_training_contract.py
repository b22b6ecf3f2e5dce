from steps.base import TrainingScriptContract

XGBOOST_TRAINING_CONTRACT = TrainingScriptContract(
    entry_point="xgboost_training.py",
    expected_input_paths={
        "input_path": "/opt/ml/input/data/train",
        "hyperparameters_s3_uri": "/opt/ml/input/data/config/hyperparameters.json",
    },
    expected_output_paths={"model_output": "/opt/ml/model", "evaluation_output": "/opt/ml/output/data"},
    expected_arguments={"job_type": "training"},
    optional_env_vars={"LABEL_FIELD": "target"},
    framework_requirements={"pandas": ">=2", "xgboost": ">=1.7"},
    description="Trains a classifier.",
)
