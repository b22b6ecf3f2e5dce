# Sourced by the scripts beside it.

say() { printf '== %s\n' "$*" >&2; }

stop() { # MESSAGE CURE
    printf 'error: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '  cure: %s\n' "$2" >&2
    exit 3
}

is_debian() { (. /etc/os-release 2>/dev/null && case "$ID" in debian | ubuntu) true ;; *) false ;; esac); }

can_be_root() { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt_install() {
    say "installing $* (apt-get)"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null >&2
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

cache_dir() { printf '%s\n' "${RUN_PIPELINE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/run-pipeline}"; }
