#!/bin/sh
# The install steps of both images: install.sh system cpu|gpu, dependencies, program or user.
# PYTHON (python3), VENV (/opt/asi-arch), SOURCE (/source) and TORCH_INDEX (none: pip's own) are variables.
set -eu
VENV=${VENV:-/opt/asi-arch}
SOURCE=${SOURCE:-/source}

system() {
    packages=bubblewrap
    # Triton compiles its launchers with gcc when a kernel is first used.
    [ "$1" = cpu ] || packages="$packages gcc libc6-dev"
    apt-get update
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $packages
    rm -rf /var/lib/apt/lists/*
}

dependencies() {
    "${PYTHON:-python3}" -m venv "$VENV"
    "$VENV/bin/python" - "$SOURCE/pyproject.toml" > "$VENV/requirements.txt" <<'PYTHON'
import sys, tomllib
project = tomllib.load(open(sys.argv[1], "rb"))["project"]
print(*project["dependencies"], *project["optional-dependencies"]["postgres"], sep="\n")
PYTHON
    if [ -n "${TORCH_INDEX:-}" ]; then
        version=$(sed -n 's/^torch==//p' "$SOURCE/constraints.txt")
        "$VENV/bin/pip" install -c "$SOURCE/constraints.txt" --index-url "$TORCH_INDEX" "torch==$version"
    fi
    "$VENV/bin/pip" install -c "$SOURCE/constraints.txt" -r "$VENV/requirements.txt"
}

program() {
    "$VENV/bin/pip" install -c "$SOURCE/constraints.txt" --no-deps "$SOURCE"
    "$VENV/bin/pip" check
}

user() {
    useradd --uid 10001 --user-group --create-home asi
    mkdir -p /work
    chown asi:asi /work
}

case "${1:-}" in
system) case "${2:-}" in cpu | gpu) system "$2" ;; *) echo "install.sh system cpu|gpu" >&2; exit 2 ;; esac ;;
dependencies | program | user) "$1" ;;
*) echo "install.sh system cpu|gpu, dependencies, program or user" >&2; exit 2 ;;
esac
