#!/bin/sh
# Builds the wheel and tries it away from the checkout: bare, with the lowest and with the highest versions.
# The highest run uses a second Python where the machine has one.
# uv is quick and is fetched by pip if absent; where uv cannot reach the index, pip itself does the work.
set -eu

root=$PWD
work=$root/build/wheel-test
rm -rf "$work"
mkdir -p "$work"
"$root/.venv/bin/python" -m hatchling build -t wheel -d "$work/dist" >/dev/null
wheel=$(ls "$work"/dist/*.whl)
echo "wheel: $(basename "$wheel"), $(du -k "$wheel" | cut -f1) KiB"

uv=$(command -v uv || echo "$root/.venv/bin/uv")
[ -x "$uv" ] || "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check uv >&2 || true

python_for() {
    for candidate in "$@"; do
        "$candidate" -c 'import venv' 2>/dev/null && { echo "$candidate"; return; }
    done
    echo "$root/.venv/bin/python"
}

install() { # folder, python, pip arguments…
    folder=$1 python=$2
    shift 2
    "$python" -m venv --without-pip "$folder"
    install_with_uv "$@" || install_with_pip "$@"
}

install_with_uv() {
    [ -x "$uv" ] && VIRTUAL_ENV="$folder" "$uv" pip install --quiet --compile-bytecode "$@"
}

install_with_pip() {
    echo "wheel test: uv did not succeed, going on with pip (a minute or two)" >&2
    "$folder/bin/python" -m ensurepip >/dev/null
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

echo "bare: msgspec and wrapt only"
install "$work/bare" "$(python_for python3.11)" "$wheel"
(cd "$work" && bare/bin/python "$root/tools/wheel_smoke.py" bare)

"$root/.venv/bin/python" tools/lowest_versions.py >"$work/lowest.txt"
echo "lowest versions:" $(cat "$work/lowest.txt")
install "$work/lowest" "$(python_for python3.11)" -c "$work/lowest.txt" "$wheel[demo]"
(cd "$work" && lowest/bin/python "$root/tools/wheel_smoke.py" full)

echo "highest versions"
install "$work/highest" "$(python_for python3.13 python3.12 python3.11)" "$wheel[demo]"
(cd "$work" && highest/bin/python "$root/tools/wheel_smoke.py" full)
