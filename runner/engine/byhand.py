"""The parts of `reproduce.sh` and `shell.sh` that are the same for every step."""

from __future__ import annotations

REPORT = "  @REPORT@"
"""Stands in `HEAD` for the lines that say where the outputs are."""

HEAD = r"""
say() { printf '%s: %s\n' "$what" "$*" >&2; }
fail() { say "$@"; exit 125; } # 125: as docker says that no container ran

if [ "$#" = 2 ] && [ "$1" = --image ]; then
  image=$2
elif [ "$#" != 0 ]; then
  fail "usage: $0 [--image REFERENCE]"
fi

here=${BASH_SOURCE[0]:-./stdin}
case $here in */*) here=${here%/*}/ ;; *) here=./ ;; esac
here=$(CDPATH='' cd -- "$here" && pwd -P && printf x) # x: or a line end at the end of the name would be lost
here=${here%$'\n'x}

# A --mount value is one record of CSV: the field is quoted, and quotes in it are doubled.
source_of() { local quote='"'; printf '"source=%s"' "${1//$quote/$quote$quote}"; }

copy() { # NAME SOURCE DIRECTORY; a private copy, since the script may write to its inputs
  [ -d "$2" ] || fail "input '$1' is gone: there is no directory $2"
  mkdir -p -- "$3"
  cp -a -- "$2/." "$3/" || fail "input '$1' could not be copied from $2"
}
empty() { mkdir -p -- "$1"; }
empty_for_all() { mkdir -p -- "$1"; chmod 777 -- "$1"; } # the image has a USER of its own

remove() {
  kill -KILL "$client" 2>/dev/null || : # it may have ended by itself
  wait "$client" 2>/dev/null || :
  [ -s "$work/container" ] || sleep 1 # the engine may be creating it still
  local left
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    docker rm --force "$name" >/dev/null 2>&1 || : # what counts is asked next
    left=$(docker ps --all --quiet --filter "name=^/$name\$") || left=unknown
    [ -n "$left" ] || return 0
    sleep 0.3
  done
  say "container $name may be left; remove it with: docker rm --force $name"
}

give_back() { # scripts run as root, and their files belong to root
  [ "$(id -u)" != 0 ] || return 0
  [ -n "$(find "$work" ! -user "$(id -u)" -print -quit 2>/dev/null)" ] || return 0
  local owner
  owner=$(id -u):$(id -g)
  case $(docker info --format '{{.SecurityOptions}}') in *rootless*) owner=0:0 ;; esac
  docker run --rm --network none --user 0:0 --entrypoint /bin/sh \
    --mount type=bind,"$(source_of "$work")",target=/work "$image" -c 'chown -Rh "$1" /work' sh "$owner" >&2 ||
    say "some files belong to another user; take them with: sudo chown -Rh $owner $work"
}

report() {
  @REPORT@
}

client='' work='' started=''
leave() { # [STATUS]
  local status=${1:-$?}
  trap '' INT TERM HUP # a second Ctrl-C must not stop the clean-up
  trap - EXIT
  [ -z "$client" ] || remove
  if [ -n "$started" ]; then
    rm -f -- "$work/container"
    give_back || :
    say "exit status $status"
    report
  elif [ -n "$work" ]; then
    rm -rf -- "$work"
  fi
  exit "$status"
}
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

command -v docker >/dev/null || fail "there is no docker command on PATH"
problem=$(docker image inspect --format . -- "$image" 2>&1 >/dev/null) ||
  fail "image $image is not to be had: $problem; name another with --image"

name=run-pipeline-by-hand-$$-$RANDOM
work=$(mktemp -d "$here/$what.XXXXXX" 2>/dev/null) || work=$(mktemp -d "${TMPDIR:-/tmp}/$what.XXXXXX")
""".strip("\n")

TERMINAL = r"""
terminal=(--rm --interactive)
if [ -t 0 ] && [ -t 1 ]; then terminal+=(--tty); fi
""".strip("\n")

START = r"""
# In the background, so that a signal is handled at once and not when the container has ended.
started=yes
"${run[@]}" </dev/null &
client=$!
status=0
wait "$client" || status=$?
client=''
exit "$status"
""".strip("\n")

START_SHELL = START.replace("</dev/null", "<&0")

UNPACK = r"""
unpack() { # DIRECTORY; the model's archive in it becomes its content, as SageMaker does for a server
  local archive=$1/model.tar.gz
  [ -e "$archive" ] || archive=$(printf '%s\n' "$1"/*.tar.gz)
  tar -xzf "$archive" --no-same-owner -C "$1" || fail "the model cannot be unpacked: $archive"
  rm -f -- "$archive"
}
""".strip("\n")

START_SERVING = r"""
post_gone() { docker rm --force "$name-post" >/dev/null 2>&1 || :; } # most often it is gone
trap 'status=$?; post_gone; leave "$status"' EXIT
started=yes
"${run[@]}" </dev/null &
client=$!
until [ "$(docker inspect --format '{{.State.Running}}' "$name" 2>/dev/null)" = true ]; do
  kill -0 "$client" 2>/dev/null || fail "the server has ended"
  sleep 0.1
done
"${post[@]}" </dev/null >"$work/said" &
status=0
wait "$!" || status=$?
say "the client: $(cat "$work/said")"
case $(cat "$work/said") in *'"done": true'*) ;; *) [ "$status" != 0 ] || status=1 ;; esac
docker stop -t "$grace" "$name" >/dev/null || : # it may have ended by itself
wait "$client" || : # how the server ends after that does not count
client=''
exit "$status"
""".strip("\n")
"""Runs `run`, a server, and beside it `post`, a client; the status is the client's."""
