#!/bin/sh
# System packages that make things better: installed where apt-get and the rights are there,
# else named in one line each with what is lost without them.
set -u

want() { # command package loss
    command -v "$1" >/dev/null 2>&1 && return 0
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        [ -n "${updated:-}" ] || apt-get update -qq >/dev/null 2>&1
        updated=yes
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null 2>&1
        command -v "$1" >/dev/null 2>&1 && return 0
    fi
    echo "wavecrew: $2 is missing: $3" >&2
}

want git git "nothing works without git"
want bwrap bubblewrap "agents' commands run under Landlock only, a weaker sandbox (or not at all)"
want rg ripgrep "agents search with a slower Python fallback"
exit 0
