"""A transform step: one container that serves, and a short one beside it, in its network, that posts the data.

1. The server sees what SageMaker shows it: its unpacked model, `serve`, its environment; neither data nor output.
2. The step passes only if the client says that every record was answered with 200 and every answer written; what the
   server said or how it ended afterwards is no proof of that, and no doubt of it.
3. A server that ends before that fails the step, by its own exit, memory kill or time-out.
4. The server is stopped by SIGTERM, the grace, SIGKILL; both containers carry the run's labels and the leash.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path

from runner.engine.base import BoundInput, Image, Launch, Outcome, Sink, StartMode, StopReason, Verdict
from runner.engine.container import DockerContainer
from runner.engine.creation import SHARED
from runner.engine.outcomes import now
from runner.engine.posting import Posted, client_command, judge, posted, server_part
from runner.engine.unpack import BadModel, Stopped, find_archive, unpack
from runner.errors import EnvironmentFault
from runner.sagemaker.job import ContainerJob, InputMount, Limits

LINGER = 3.0
"""Seconds that a server has to end by itself after it broke off a connection: its own end says more than that."""
_TOLD = 1 << 20
"""Bytes that are kept of what the client says."""

Make = Callable[[Launch], DockerContainer]


def server_launch(launch: Launch, model: Path) -> Launch:
    """The server's part of a transform step's launch. `model` is the directory of the unpacked model."""
    part = server_part(launch)
    return dataclasses.replace(part, inputs=tuple(dataclasses.replace(item, host=model) for item in part.inputs))


def client_launch(launch: Launch, image: Image, server: str) -> Launch:
    """The client's part: the data, read-only, and the output. It is root, whatever the image's USER."""
    transform = launch.job.transform
    if transform is None or image.python is None:
        raise ValueError("no transform step, or no Python")
    data = next(item for item in launch.inputs if item.name == "data")
    source = next(item.source for item in launch.job.inputs if item.name == "data")
    job = ContainerJob(
        step=launch.job.step,
        step_type=launch.job.step_type,
        image=image.reference,
        entrypoint=client_command(transform, image.python),
        inputs=(InputMount("data", data.target, source, private="read-only"),),
        outputs=launch.job.outputs,
        limits=Limits(),
        network=f"{SHARED}{server}",
        hostname=launch.job.hostname,
    )
    return dataclasses.replace(
        launch,
        job=job,
        image=dataclasses.replace(image, user="", mode=StartMode.PLAIN),
        inputs=(BoundInput(data.name, data.target, data.host),),
        config=(),
        scratch=launch.scratch / "client",
        preimport=(),
        credentials=None,
        trace=False,
    )


def prepare(launch: Launch, make: Make, client: Image) -> Serving:
    """The server's container; `client` is an image with Python. Where mounts are fixed at creation, the model must be
    there, and is unpacked now. Raises EnvironmentFault, OSError."""
    model = launch.scratch / "model"
    model.mkdir()
    model.chmod(0o755)
    fault = "" if launch.image.mode is StartMode.STAGED else _unpack(launch, model, lambda: False)
    server = make(server_launch(launch, model))
    return Serving(launch, server, lambda: _client(launch, make, client, server.id), fault)


def _client(launch: Launch, make: Make, image: Image, server: str) -> DockerContainer:
    own = client_launch(launch, image, server)
    own.scratch.mkdir(exist_ok=True)
    return make(own)


def _unpack(launch: Launch, model: Path, stopped: Callable[[], bool]) -> str:
    """Why the model cannot be unpacked, or an empty text. Raises Stopped, OSError."""
    bound = next((item for item in launch.inputs if item.name == "model"), None)
    try:
        if bound is not None:
            unpack(find_archive(bound.host), model, stopped)
    except BadModel as error:
        return str(error)
    return ""


class Serving:
    """See `engine.base.Container`. `run` holds the server in a thread of its own, and the client in the caller's."""

    def __init__(
        self, launch: Launch, server: DockerContainer, make_client: Callable[[], DockerContainer], fault: str
    ) -> None:
        self.id = server.id
        self.mode = server.mode
        self._launch, self._server, self._make_client, self._fault = launch, server, make_client, fault
        self._client: DockerContainer | None = None
        self._stop: StopReason | None = None
        self._ended = threading.Event()
        self._served: Outcome | BaseException | None = None
        self._lock = threading.Lock()

    def run(self, stdout: Sink, stderr: Sink) -> Outcome:
        started, began = now(), time.monotonic()
        outcome = self._before() or self._serve_and_post(stdout, stderr)
        self._final = dataclasses.replace(
            outcome, started_at=started, finished_at=now(), seconds=time.monotonic() - began
        )
        return self._final

    def confirm(self) -> Outcome:
        return self._final  # both containers have ended, and the engine was asked about both

    def _before(self) -> Outcome | None:
        """How the step ends without a server: a model that is none, a stop."""
        try:
            if self.mode is StartMode.STAGED:
                self._fault = _unpack(self._launch, self._launch.scratch / "model", lambda: self._stop is not None)
        except Stopped:
            return _outcome(Verdict.CANCELLED, "stopped because the run was cancelled, before the server had its model")
        except OSError as error:
            return _outcome(Verdict.INFRASTRUCTURE, f"the model could not be unpacked: {error}")
        return _outcome(Verdict.TRANSFORM, self._fault) if self._fault else None

    def _serve_and_post(self, stdout: Sink, stderr: Sink) -> Outcome:
        thread = threading.Thread(target=self._serve, args=(stdout, stderr), name=f"server-{self._launch.job.step}")
        thread.start()
        try:
            self._server.going.wait()
            told = self._post()
            if told.broken:
                self._ended.wait(LINGER)
        finally:
            self._server.stop(StopReason.CANCELLED, self._launch.job.limits.grace)
            thread.join()
        if not isinstance(self._served, Outcome):
            raise self._served or RuntimeError("the server's thread ended without an outcome")
        return judge(self._served, told, self._stop)

    def _serve(self, stdout: Sink, stderr: Sink) -> None:
        try:
            self._server.run(stdout, stderr)
            self._served = self._server.confirm()
        except BaseException as error:
            self._served = error  # raised where it is waited for
        finally:
            self._server.going.set()
            with self._lock:
                self._ended.set()
                client = self._client
            if client is not None:
                client.stop(StopReason.CANCELLED, 0.0)

    def _post(self) -> Posted:
        """Let the client do its work, and remove it."""
        said, complained = _Kept(), _Kept()
        try:
            client = self._make_client()
        except (EnvironmentFault, OSError) as error:
            return Posted(fault=f"the container that posts the data could not be made: {error}")
        try:
            with self._lock:
                self._client = client
                early = self._ended.is_set() or self._stop is not None
            if early:
                return Posted(fault="the server had ended", broken=True)
            client.run(said, complained)
            return posted(client.confirm(), bytes(said.data), bytes(complained.data), self._launch.credentials)
        finally:
            with self._lock:
                self._client = None
            client.remove()

    def stop(self, reason: StopReason, grace: float) -> None:
        with self._lock:
            self._stop = self._stop or reason
            client = self._client
        self._server.stop(reason, grace)
        if client is not None:
            client.stop(reason, 0.0)

    def remove(self) -> None:
        self._server.remove()


class _Kept:
    """A sink that keeps the beginning."""

    def __init__(self) -> None:
        self.data = bytearray()

    def __call__(self, data: bytes) -> None:
        self.data += data[: _TOLD - len(self.data)]


def _outcome(verdict: Verdict, reason: str) -> Outcome:
    return Outcome(
        verdict=verdict, exit_code=None, signal=None, reason=reason, started_at=None, finished_at=None, seconds=0.0
    )
