#!/usr/bin/env bash
# One command for everything: `./run_all.sh --help`. Finds a Python and hands over to lib/workflow/start.py.
set -euo pipefail

root=$(cd -P -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)

own=$root/.reprise/python/bin/python

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in python3 python python3.11 python3.12 python3.13 "$own" "$root/.venv/bin/python"; do
        if fits "$candidate"; then
            python=$candidate
            return 0
        fi
    done
    return 1
}

# A machine whose only Python is too old, or that has none, may still have conda: let it bring one.
if ! find_python; then
    conda=$(command -v mamba || command -v conda || command -v micromamba || true)
    if [ -z "$conda" ]; then
        echo "run_all.sh: needs Python 3.11 or newer, or conda; found neither" >&2
        exit 1
    fi
    echo "run_all.sh: no Python 3.11 or newer here; $(basename "$conda") brings one" >&2
    "$conda" create --yes --quiet --prefix "$root/.reprise/python" \
        --channel conda-forge --override-channels python=3.11 >&2
    python=$own
fi

# -P: a folder named `lib` in the caller's working directory must not stand in for ours.
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -P -m lib.workflow.start "$@"
