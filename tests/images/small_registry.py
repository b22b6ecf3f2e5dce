"""A registry that serves one image of the engine's over HTTP on loopback, which engines trust without TLS."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@contextmanager
def small_registry(docker: DockerClient, image: str, name: str, tag: str, folder: Path) -> Iterator[str]:
    """Yields `127.0.0.1:<port>`; `<that>/<name>:<tag>` is the image, everything else is not found."""
    blobs, manifest = _content(docker, image, folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/v2/":
                self.answer(200, b"{}", "application/json")
            elif self.path in (f"/v2/{name}/manifests/{tag}", f"/v2/{name}/manifests/{digest(manifest)}"):
                self.answer(200, manifest, MANIFEST)
            elif self.path.startswith(f"/v2/{name}/blobs/") and self.path.rpartition("/")[2] in blobs:
                self.answer(200, blobs[self.path.rpartition("/")[2]], "application/octet-stream")
            else:
                error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
                self.answer(404, json.dumps(error).encode(), "application/json")

        do_HEAD = do_GET

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.send_header("Docker-Content-Digest", digest(body))
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _content(docker: DockerClient, image: str, folder: Path) -> tuple[dict[str, bytes], bytes]:
    """The image's config and layers by digest, and its manifest."""
    saved = folder / "saved.tar"
    with saved.open("wb") as file:
        for chunk in docker.images.get(image).save():
            file.write(chunk)
    blobs: dict[str, bytes] = {}

    def add(kind: str, blob: bytes) -> dict[str, Any]:
        blobs[digest(blob)] = blob
        return {"mediaType": kind, "size": len(blob), "digest": digest(blob)}

    with tarfile.open(saved) as archive:

        def read(member: str) -> bytes:
            file = archive.extractfile(member)
            assert file is not None
            return file.read()

        (index,) = json.loads(read("manifest.json"))
        config = add(CONFIG, read(index["Config"]))
        layers = [add(LAYER, gzip.compress(read(layer), compresslevel=0, mtime=0)) for layer in index["Layers"]]
    saved.unlink()
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return blobs, json.dumps(manifest).encode()


def digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
