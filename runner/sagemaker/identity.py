"""Names, ARNs and S3 URIs that a job would have on SageMaker: valid by its rules, and the same for the same spec.

Nothing here exists anywhere. The account is all zeros and the bucket is `local`, so that no script can mistake them
for real ones; they are not `file://` paths because a script that parses them must meet the form that SageMaker sends.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

REGION = "us-east-1"
ACCOUNT = "000000000000"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/run-pipeline"
INSTANCE_TYPE = "ml.m5.xlarge"
HOST = "algo-1"

_NAME_LENGTH = 63
"""A job name is `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}`."""


def hosts(count: int) -> tuple[str, ...]:
    """`algo-1` to `algo-N` as `resourceconfig.json` has them: sorted as texts, so that `algo-10` precedes `algo-2`."""
    return tuple(sorted(f"algo-{number}" for number in range(1, count + 1)))


def job_name(pipeline: str, step: str) -> str:
    """A valid job name: both names with other characters as `-`, cut to fit, and eight digits of their digest, since
    `a_b` and `a-b` are two steps."""
    digest = hashlib.sha256(f"{pipeline}\0{step}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = re.findall("[a-zA-Z0-9]+", f"{pipeline}-{step}")
    stem = "-".join(words)[: _NAME_LENGTH - len(digest) - 1].rstrip("-")
    return f"{stem}-{digest}" if stem else digest


def arn(kind: str, name: str) -> str:
    """`kind` is `processing-job` or `training-job`; `name` a valid job name."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def s3_uri(*parts: str) -> str:
    """`s3://local/` and the parts, each quoted so that a name with a slash stays one part."""
    return "s3://local/" + "/".join(quote(part, safe="", errors="surrogatepass") for part in parts)
