"""Run every step of a SageMaker pipeline in a local container before you deploy it."""

__version__ = "0.1.0"
