"""What the processing scripts in this directory share when SageMaker starts them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

MESSAGE_FILE = Path("/opt/ml/output/message")
JOB_TYPES = ("training", "validation", "testing", "calibration")


def leave_message(text: str) -> None:
    """What SageMaker shows as ExitMessage: 1 KB of valid UTF-8, whether the job passes or fails."""
    MESSAGE_FILE.parent.mkdir(parents=True, exist_ok=True)
    MESSAGE_FILE.write_text(text.encode()[:1024].decode(errors="ignore"), encoding="utf-8")


def run(
    main: Callable[..., str], input_paths: Mapping[str, str], output_paths: Mapping[str, str], default_job_type: str
) -> None:
    """Call `main` with the container's paths, environment and arguments, and leave what it returns as the message."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", choices=JOB_TYPES, default=default_job_type)
    try:
        message = main(dict(input_paths), dict(output_paths), dict(os.environ), parser.parse_args())
    except Exception as error:
        leave_message(f"{type(error).__name__}: {error}")
        raise
    leave_message(message)
