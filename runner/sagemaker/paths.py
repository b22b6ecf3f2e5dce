"""Where SageMaker puts things in a container. Source: the AWS developer guide, processing and training containers.

The directories of inputs, outputs and a processing step's code stand in `runner.spec.mounts`, where they are checked.
"""

from __future__ import annotations

CONFIG = "/opt/ml/config"
"""Of a processing job; training has its own under `TRAINING_CONFIG`."""
OUTPUT = "/opt/ml/output"
MESSAGE = f"{OUTPUT}/message"
"""Its first 1 KB becomes a processing job's ExitMessage."""
FAILURE = f"{OUTPUT}/failure"
"""Its first 1024 characters become a training job's FailureReason."""

TRAINING_INPUT = "/opt/ml/input"
TRAINING_CONFIG = f"{TRAINING_INPUT}/config"
CHANNELS = f"{TRAINING_INPUT}/data"
TRAINING_CODE = "/opt/ml/code"
MODEL = "/opt/ml/model"
CHECKPOINTS = "/opt/ml/checkpoints"
"""Exists only in a job that asks for it (CheckpointConfig)."""
OUTPUT_DATA = f"{OUTPUT}/data"
OUTPUT_INTERMEDIATE = f"{OUTPUT}/intermediate"
