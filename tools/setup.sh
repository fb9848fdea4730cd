#!/bin/sh
# Makes .venv from requirements.lock: pinned versions, every download checked against its hash.
# uv is quick and is fetched by pip if absent; where uv cannot reach the index, pip itself does the work.
set -eu

if [ -z "${PYTHON:-}" ]; then
    echo "setup: no Python 3.11, 3.12 or 3.13 found; install one or say PYTHON=/path/to/python" >&2
    exit 2
fi
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "setup: $PYTHON has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 2
fi

echo "setup: $($PYTHON --version) in .venv (once; some 100 packages, about half a minute)" >&2
rm -f .venv/.ready
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
    rm -rf .venv
    "$PYTHON" -m venv .venv
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check uv >&2 || true
    [ -x .venv/bin/uv ] && uv=.venv/bin/uv
fi

install_with_uv() {
    [ -n "$uv" ] || return 1
    VIRTUAL_ENV="$PWD/.venv" "$uv" pip install --quiet --compile-bytecode --require-hashes -r requirements.lock &&
        VIRTUAL_ENV="$PWD/.venv" "$uv" pip install --quiet --no-deps --no-build-isolation --editable .
}

install_with_pip() {
    echo "setup: uv did not succeed, going on with pip (a minute or two)" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock &&
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

install_with_uv || install_with_pip
.venv/bin/python -m compileall -q quantum_mlops producers processors daemon || true
touch .venv/.ready
echo "setup: done" >&2
