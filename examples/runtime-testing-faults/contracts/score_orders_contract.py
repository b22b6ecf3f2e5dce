from steps.base import ScriptContract

SCORE_ORDERS_CONTRACT = ScriptContract(
    entry_point="score_orders.py",
    expected_input_paths={"orders": "/opt/ml/processing/input/orders"},
    expected_output_paths={"scored": "/opt/ml/processing/output/scored"},
    required_env_vars=["SCORE_THRESHOLD"],
    description="Scores the orders.",
)
