#!/bin/sh
# One command for everything: `./run_all.sh --help`. Finds a Python and hands over to lib/workflow/start.py.
# POSIX: `sh run_all.sh` may be dash or busybox, and bash would read the user's BASH_ENV first.
set -eu

# A stream that the caller closed would be the next file that anybody opens.
true 3>&2 || exec 2>/dev/null
{ true 3<&0; } 2>/dev/null || exec </dev/null
{ true 3>&1; } 2>/dev/null || exec >/dev/null

script=$(readlink -f -- "$0")
root=${script%/*}
own=$root/.reprise/python/bin/python

# -I here and below: nothing named PYTHON... in the user's surroundings, and no module of the user's, enters.
fits() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for python in python3 python python3.11 python3.12 python3.13 "$own" "$root/.venv/bin/python"; do
        if fits "$python"; then
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
    echo "run_all.sh: no Python 3.11 or newer here; ${conda##*/} brings one" >&2
    "$conda" create --yes --quiet --prefix "$root/.reprise/python" \
        --channel conda-forge --override-channels python=3.11 >&2
    python=$own
fi

exec "$python" -I -X utf8 "$root/lib/workflow/launch.py" lib.workflow.start "$@"
