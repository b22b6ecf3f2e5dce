"""A transform step as lines of bash: its server in the background, the client beside it. A part of `byhand`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.engine.base import BoundOutput
from runner.report.byhand_docker import Bash, docker, folded, words
from runner.sagemaker.job import ContainerJob, Transform

_BEGIN = r"""
# A shell of its own, which takes its containers along when it ends, is interrupted, or has lost the one around it.
(
set -e
server={name}-$$
trap 'docker rm --force "$server" "$server-post" >/dev/null 2>&1 || :' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
""".strip()
_UNPACK = r"""
archive={folder}/model.tar.gz
[ -e "$archive" ] || archive=$(printf '%s\n' {folder}/*.tar.gz)
tar -xzf "$archive" --no-same-owner -C {folder}
rm "$archive"
""".strip()
_END = r"""
client=$!
while kill -0 "$client" 2>/dev/null; do
  if ! kill -0 "$$" 2>/dev/null || grep -qs ') Z ' "/proc/$$/stat"; then exit 143; fi
  sleep 0.5
  running=$(docker inspect --format '{{{{.State.Running}}}}' "$server")
  [ "$running" = true ] || docker stop -t 3 "$server-post" >/dev/null 2>&1 || : # it would wait for the server in vain
done
status=0
wait "$client" || status=$?
docker stop -t {grace} "$server" >/dev/null
docker logs "$server"
cat {said}
case $(cat {said}) in *'"done": true'*) exit "$status" ;; *) exit 1 ;; esac
)
""".strip()


def serve(
    job: ContainerJob, transform: Transform, work: Path, inputs: list[BoundOutput], outputs: list[BoundOutput]
) -> Iterator[str]:
    """Ends with the client's word: 0 only when every record was answered."""
    model = [place for place in inputs if place.name == "model"]
    yield _BEGIN.format(name=shlex.quote(f"by-hand-{job.step}"))
    yield from (_UNPACK.format(folder=shlex.quote(str(place.host))) for place in model)
    yield from docker(job, work, (), tuple(model), "--detach", "--name", Bash('"$server"'))
    said = words(str(work / job.step / "said"))
    posting = _post(transform, [place for place in (*inputs, *outputs) if place.name != "model"])
    yield '# What run-pipeline posts the data with; its last words say `"done": true`, or why not.'
    yield f"{posting} </dev/null >{said} &"
    yield _END.format(grace=f"{job.limits.grace:g}", said=said)


def _post(transform: Transform, mounts: Iterable[BoundOutput]) -> str:
    from runner.engine.dockercli import bind
    from runner.engine.posting import client_command
    from runner.engine.recipes import docker_reference

    python, *command = client_command(transform, "python3")
    options = ["docker", "run", "--rm", "--name", Bash('"$server-post"'), "--network", Bash('"container:$server"')]
    options += [word for place in mounts for word in ("--mount", bind(place.host, place.target))]
    return folded([*options, "--entrypoint", python], [docker_reference("python"), *command])
