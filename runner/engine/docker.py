"""The Docker engine: real containers. See `engine.base.Engine` for what each method promises."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.agent import agent_source
from runner.engine import cluster, creation, modules, network, privacy, requirements, serving
from runner.engine import images as recipes
from runner.engine import sweep as sweeping
from runner.engine.base import Container, EngineInfo, Image, Installation, Launch, Leftover, StartMode
from runner.engine.client import endpoint
from runner.engine.container import DockerContainer
from runner.engine.facts import engine_info, image_of
from runner.engine.faults import lost_is
from runner.engine.janitor import Janitor
from runner.engine.oneshot import ask
from runner.engine.ownership import has_foreign, own
from runner.engine.pool.share import Share
from runner.engine.probe import probe
from runner.engine.wire import HeldWire, Wire, arm
from runner.errors import EngineLost, EngineUnavailable, EnvironmentFault, ImageUnavailable, WorkspaceError

if TYPE_CHECKING:
    from docker import DockerClient

    from runner.engine.pool.link import Link

log = logging.getLogger(__name__)


class DockerEngine:
    """One engine, for one process. `close` when done: it dismisses the janitor."""

    name = "docker"

    def __init__(self, client: DockerClient, pool: Link | None = None, *, pooling: bool = False) -> None:
        self._client = client
        self.share = Share(client.api, pool) if pooling else None
        """In the pool; None: every container is made here."""
        self._api: Any = client.api
        self._overlay_kinds: dict[tuple[Any, ...], bool] = {}
        """Where overlay volumes were tried: whether the engine could mount them."""
        self._lock = threading.Lock()
        self._janitors: dict[str, Janitor] = {}
        self._info: EngineInfo | None = None

    def info(self) -> EngineInfo:
        """Its facts are asked for once; whether it is there, each time."""
        if self._info is not None:
            with lost_is(EngineUnavailable):
                self._api.ping()
        return self._facts()

    def _facts(self) -> EngineInfo:
        if self._info is None:
            with lost_is(EngineUnavailable):
                raw = self._api.info()
            self._info = engine_info(raw, self._api.api_version, endpoint())
        return self._info

    def image(self, reference: str) -> Image:
        tag = recipes.docker_reference(reference)
        try:
            with lost_is(EngineLost):
                raw = self._api.inspect_image(tag)
        except Exception as error:
            if not _is_missing(error):
                raise
            remedy = f"run `run-pipeline images build {reference}`" if tag != reference else f"run `docker pull {tag}`"
            raise ImageUnavailable(f"image {reference!r} is not on this engine", remedy=remedy) from error
        with lost_is(EngineLost):
            found = probe(self._api, str(raw["Id"]), self._facts().engine_id)
        return image_of(reference, raw, found)

    def modules(self, image: Image, interpreter: str) -> frozenset[str]:
        if image.python is None:
            return frozenset()
        with lost_is(EngineLost):
            return modules.modules(self._client, image, interpreter)

    def collect(self, wanted: Installation) -> Path:
        self._guard(wanted.run_id)
        return requirements.collect(self._api, wanted, rootless=self._facts().rootless)

    def collected(self, wanted: Installation) -> Path | None:
        return requirements.collected(wanted)

    def _guard(self, run_id: str) -> None:
        """Have a janitor for the run before anything is made for it."""
        with self._lock:
            if run_id not in self._janitors:
                self._janitors[run_id] = Janitor(run_id)

    def prepare(self, launch: Launch) -> Container:
        self._guard(launch.run_id)
        if launch.members:
            return self._cluster(launch)
        return self._serving(launch) if launch.job.transform is not None else self._container(launch)

    def _cluster(self, launch: Launch) -> Container:
        with lost_is(EngineLost):
            peering = network.make(self._api, launch, [member.job.hostname for member in launch.members])
        members = [dataclasses.replace(member, peering=peering) for member in launch.members]
        return cluster.create(members, self._container, lambda: network.remove(self._api, peering.network))

    def _serving(self, launch: Launch) -> Container:
        with _laid_out(launch):
            return serving.prepare(launch, self._container, self._with_python(launch.image))

    def _container(self, launch: Launch) -> DockerContainer:
        with _laid_out(launch), lost_is(EngineLost):
            return self._staged(launch) if launch.image.mode is StartMode.STAGED else self._plain(launch)

    def _with_python(self, image: Image) -> Image:
        """The image itself, or any that has an interpreter."""
        able = image if image.python else self._any_image_with_python()
        if able is None:
            raise ImageUnavailable(
                f"a transform step's batches are posted with Python, which image {image.reference!r} does not have",
                remedy="run `run-pipeline images build python`",
            )
        return able

    def _staged(self, launch: Launch) -> DockerContainer:
        """Created, connected, started, told its job: all that can be done before its inputs exist."""
        return self._warm(launch) or self._fresh(launch)

    def _warm(self, launch: Launch) -> DockerContainer | None:
        """A container of the pool, told its job; None where there is none for it."""
        wanted = self.share.wish_for(launch, self._facts().engine_id) if self.share is not None else None
        taken = self.share.take(wanted, launch) if self.share is not None and wanted is not None else None
        if self.share is None or taken is None:
            return None
        container = self._hold(launch, *taken, ())
        if not self.share.runs(container.id):
            container.remove()
            launch.scratch.mkdir(parents=True, exist_ok=True)
            return None
        container.greet()
        return container

    def _fresh(self, launch: Launch) -> DockerContainer:
        identifier = creation.create(self._api, launch, ())
        container = self._connect(launch, identifier, ())
        try:
            self._api.start(identifier)
        except BaseException:
            container.remove()
            raise
        container.greet()
        return container

    def _plain(self, launch: Launch) -> DockerContainer:
        """Created and connected; it starts in `run`, when its inputs exist."""
        refused = dict.fromkeys(range(len(launch.inputs)), "the engine is rootless") if self._facts().rootless else {}
        privates: dict[int, creation.Private] = {}
        try:
            self._make_private(launch, privates, refused)
            if launch.image.mode is StartMode.COLD:
                _open_to_all(launch)
            identifier = creation.create(self._api, launch, list(privates.values()))
        except BaseException:
            self._remove_volumes(list(privates.values()))
            raise
        return self._connect(launch, identifier, list(privates.values()))

    def _make_private(self, launch: Launch, privates: dict[int, creation.Private], refused: dict[int, str]) -> None:
        """Fill `privates` in the order of the launch. A volume of a kind that was not tried yet is tried first."""
        for index in range(len(launch.inputs)):
            found = privates[index] = privacy.make(self._api, launch, index, refused.get(index, ""))
            if found.volume is None:
                continue
            kind = privacy.kind(launch, index)
            if kind not in self._overlay_kinds:
                self._overlay_kinds[kind] = self._mounts(launch, found)
            if not self._overlay_kinds[kind]:
                self._remove_volumes([privates.pop(index)])
                privates[index] = privacy.make(self._api, launch, index, privacy.NO_VOLUMES)

    def _mounts(self, launch: Launch, private: creation.Private) -> bool:
        """Whether the engine can mount a volume: by a look into a container that has it, which mounts it without
        starting anything."""
        identifier = creation.create(self._api, launch, [private])
        try:
            api: Any = self._api
            answer = api.head(api._url("/containers/{0}/archive", identifier), params={"path": "/"})
            return bool(answer.ok)
        finally:
            sweeping.remove_container(self._api, identifier)

    def _connect(self, launch: Launch, identifier: str, privates: Sequence[creation.Private]) -> DockerContainer:
        try:
            wire = arm(self._api, identifier, stdin=launch.image.mode is not StartMode.COLD)
        except BaseException:
            self._tidy(launch, identifier, privates)
            raise
        return self._hold(launch, identifier, wire, privates)

    def _hold(
        self, launch: Launch, identifier: str, wire: Wire | HeldWire, privates: Sequence[creation.Private]
    ) -> DockerContainer:
        def tidy() -> None:
            # The keeper's containers it removes itself: the run need not wait for that.
            kept = self.share is not None and isinstance(wire, HeldWire) and self.share.give_back(identifier)
            self._tidy(launch, "" if kept else identifier, privates)

        return DockerContainer(self._api, launch, identifier, wire, tidy, privates)

    def _tidy(self, launch: Launch, identifier: str, privates: Sequence[creation.Private]) -> None:
        """Removal never raises: the verdict is written, and what stays is found by its label later. Without an
        identifier another process removes the container."""
        from docker.errors import APIError
        from requests.exceptions import RequestException

        try:
            if identifier:
                sweeping.remove_container(self._api, identifier)
            self._remove_volumes(privates)
        except (APIError, RequestException, OSError) as error:
            log.warning("container %s is left for the next sweep: %s", identifier[:12], error)
        self._take_back(launch)
        sweeping.remove_tree(launch.scratch)

    def _take_back(self, launch: Launch) -> None:
        """The agent hands files back at its end; this is for containers that had none, or whose agent was killed."""
        places = (*(bound.host for bound in launch.written), launch.scratch)
        paths = [path for path in places if has_foreign(path)]
        if not paths:
            return
        try:
            self.reclaim(paths, launch.image)
        except EnvironmentFault as error:
            log.warning("%s %s", error.message, error.remedy)

    def _remove_volumes(self, privates: Sequence[creation.Private]) -> None:
        names = [private.volume for private in privates if private.volume]
        stubs = [Leftover(kind="volume", name=name, run_id="", step="", owner_alive=True) for name in names]
        for kept in sweeping.sweep(self._api, stubs):
            log.warning("volume %s is left for the next sweep", kept.name)

    def reclaim(self, paths: Sequence[Path], image: Image | None = None) -> None:
        uid, gid = os.getuid(), os.getgid()
        if uid == 0:
            own(paths)
            return
        able = image if image is not None and image.python else self._any_image_with_python()
        if able is None or able.python is None:
            raise EnvironmentFault(
                f"files of another user are left in {paths[0]}, and no local image has a Python to hand them back",
                remedy=f"run `sudo chown -R {uid}:{gid} {paths[0]}`",
            )
        targets = [f"{creation.HIDDEN}/{index}" for index in range(len(paths))]
        mounts = [creation.bind(path, target) for path, target in zip(paths, targets, strict=True)]
        with lost_is(EngineLost):
            self._run_reclaim(able, [str(uid), str(gid), *targets], mounts)

    def _run_reclaim(self, image: Image, arguments: list[str], mounts: list[dict[str, Any]]) -> None:
        argv = [str(image.python), "-I", "-S", "-B", "-c", agent_source(), "reclaim", *arguments]
        answer = ask(self._client, image.id, argv, purpose="reclaim", mounts=mounts, user="0:0", seconds=300)
        if answer.exit_code != 0:
            raise EnvironmentFault(f"ownership could not be handed back: {answer.stdout or answer.stderr}")

    def _any_image_with_python(self) -> Image | None:
        for name in recipes.catalogue():
            with contextlib.suppress(ImageUnavailable):
                found = self.image(name)
                if found.python:
                    return found
        return None

    def leftovers(self, run_id: str | None = None) -> list[Leftover]:
        with lost_is(EngineUnavailable):
            return sweeping.leftovers(self._api, run_id)

    def sweep(self, leftovers: Sequence[Leftover]) -> list[Leftover]:
        with lost_is(EngineUnavailable):
            return sweeping.sweep(self._api, leftovers)

    def release(self, run_id: str) -> None:
        with self._lock:
            janitor = self._janitors.pop(run_id, None)
        if janitor is not None:
            janitor.dismiss()

    def close(self) -> None:
        for janitor in self._janitors.values():
            janitor.dismiss()
        self._janitors.clear()
        if self.share is not None:
            self.share.close()
        self._client.close()


def _is_missing(error: Exception) -> bool:
    from docker.errors import ImageNotFound

    return isinstance(error, ImageNotFound)


@contextlib.contextmanager
def _laid_out(launch: Launch) -> Iterator[None]:
    """With a scratch directory; what the disk refuses is the workspace's fault."""
    try:
        launch.scratch.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise WorkspaceError(f"the step's directories could not be prepared: {error}") from error


def _open_to_all(launch: Launch) -> None:
    """Without an agent nobody can give these directories to an image's USER, so everybody may write there."""
    private = [place for place in launch.scratch.glob("input-*/*") if place.name in ("upper", "copy")]
    for place in (*(bound.host for bound in (*launch.outputs, *launch.config)), *private):
        place.chmod(0o777)
    if launch.image.user.partition(":")[0] not in ("", "0", "root"):  # a root needs no such thing
        for bound in launch.kept:
            bound.host.chmod(0o777)
