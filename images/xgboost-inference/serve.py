#!/opt/venv/bin/python
"""Serve the binary XGBoost classifier in /opt/ml/model: SageMaker's contract for inference containers.

GET  /ping         200 as soon as the model is loaded
POST /invocations  text/csv in, a row of features a line, in the order of features.json, without a header; an empty
                   field is a missing value. Out: the probability of class 1, a line for each row.

It listens only once the model is loaded, so that a model that is none ends the container before anything is answered.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import xgboost as xgb

logger = logging.getLogger("serve")

MODEL = Path("/opt/ml/model")
PORT = 8080


class BadRequest(ValueError):
    """The client's fault; says why."""


class Model:
    """The booster with the columns that it was trained on."""

    def __init__(self, directory: Path) -> None:
        self.features = json.loads((directory / "features.json").read_text(encoding="utf-8"))
        self.booster = xgb.Booster({"nthread": 1}, model_file=directory / "xgboost_model.json")
        self._lock = threading.Lock()

    def answer(self, body: bytes) -> bytes:
        """Probabilities for rows of CSV. Raises BadRequest."""
        matrix = xgb.DMatrix(self.rows(body), feature_names=self.features, nthread=1)
        with self._lock:
            margin = self.booster.predict(matrix, output_margin=True).astype(float)
        return "\n".join(map(repr, sigmoid(margin).tolist())).encode()

    def rows(self, body: bytes) -> np.ndarray:
        """Shape (rows, features). Raises BadRequest, which names the line."""
        rows = []
        for number, line in enumerate(body.decode("utf-8", "replace").splitlines(), 1):
            fields = line.split(",")
            if len(fields) != len(self.features):
                raise BadRequest(f"line {number} has {len(fields)} fields; the model has {len(self.features)} features")
            try:
                rows.append([float(field) if field.strip() else float("nan") for field in fields])
            except ValueError as error:
                raise BadRequest(f"line {number}: {error}") from None
        if not rows:
            raise BadRequest("no rows")
        return np.array(rows, dtype=float)


def sigmoid(margin: np.ndarray) -> np.ndarray:
    """As the evaluation step computes it, so that both give the same digits."""
    return 1.0 / (1.0 + np.exp(-margin))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def do_GET(self) -> None:
        self.respond(200 if self.path == "/ping" else 404, b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        if length is None or not length.isdigit():
            self.close_connection = True
            self.respond(411, b"a Content-Length is needed")
            return
        body = self.rfile.read(int(length))
        kind = self.headers.get_content_type()
        if self.path != "/invocations":
            self.respond(404, b"POST goes to /invocations")
        elif kind != "text/csv":
            self.respond(415, f"this model takes text/csv, not {kind}".encode())
        else:
            self.invoke(body)

    def invoke(self, body: bytes) -> None:
        try:
            answer = self.model.answer(body)
        except BadRequest as error:
            self.respond(400, str(error).encode())
        except Exception:
            logger.exception("a request could not be answered")
            self.respond(500, b"see the log of the container")
        else:
            logger.info("%d rows", answer.count(b"\n") + 1)
            self.respond(200, answer, "text/csv")

    def respond(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing for each ping; `invoke` says what it did."""


def main() -> None:
    Handler.model = Model(MODEL)
    server = ThreadingHTTPServer(("0.0.0.0", PORT), Handler)  # noqa: S104  # SageMaker calls from outside
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    batch = os.environ.get("SAGEMAKER_BATCH", "false")
    logger.info("%d features, port %d, batch %s", len(Handler.model.features), PORT, batch)
    server.serve_forever()
    server.server_close()
    logger.info("stopped")


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    main()
