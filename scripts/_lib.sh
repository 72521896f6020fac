# Shared by the scripts beside it. Sourced, never run. POSIX sh.

set -eu
ROOT=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$ROOT"
# With it, every process that is started here would compile the whole project anew, which costs each half a second.
unset PYTHONDONTWRITEBYTECODE
VENV=$ROOT/.venv
PY=$VENV/bin/python

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# The first Python that is new enough; $PYTHON overrides.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    found=$(python3 -V 2>/dev/null || echo "no python3")
    fail "Python 3.11 or newer is needed; found $found. Set PYTHON=/path/to/python3 if it is somewhere else."
}

# What an installation from these files looks like: the interpreter and the locked requirements.
installed_state() {
    "$PY" -V 2>&1 && cat "$@"
}

# Each module is compiled when it is first imported: most never are, and all of them take half a minute.
by_pip() {
    # shellcheck disable=SC2086 # the names of our own files hold no spaces
    "$PY" -m pip install --quiet --no-input --disable-pip-version-check --no-compile --require-hashes $1
}

# A tenth of pip's time. What pip was told of its server and certificates holds for uv; where that is not enough, pip it is.
by_uv() {
    by_pip "-r requirements-uv.txt" || return 1
    if ! (
        [ -z "${PIP_INDEX_URL-}" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"
        [ -z "${PIP_CERT-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
        # shellcheck disable=SC2086
        exec "$PY" -m uv pip install --quiet --no-cache --no-config --python "$PY" --require-hashes $1
    ); then
        echo "uv could not install them, for the reason above. Trying with pip ..." >&2
        return 1
    fi
}

# ensure_venv STAMP FILE...: .venv with exactly the locked packages of the files. Nothing is done when the stamp still fits.
# .venv/.installing marks a run that was cut off; what it left is thrown away.
ensure_venv() {
    stamp=$VENV/.$1
    shift
    if [ ! -e "$VENV/.installing" ] && [ -e "$stamp" ] && [ -x "$PY" ] && installed_state "$@" | cmp -s - "$stamp"; then
        return
    fi
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ -e "$VENV/.installing" ] || ! "$PY" -m pip --version >/dev/null 2>&1; then
        python=$(find_python)
        "$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$(venv_missing "$python")"
        echo "Making .venv ..." >&2
        rm -rf "$VENV"
        mkdir "$VENV" || fail "cannot write to $ROOT"
        : >"$VENV/.installing"
        "$python" -m venv "$VENV" || fail "making .venv failed; the reason is above"
    fi
    : >"$VENV/.installing"
    echo "Installing $* ..." >&2
    files=""
    for file in "$@"; do files="$files -r $file"; done
    if ! by_uv "$files" && ! by_pip "$files"; then
        rm -f "$VENV/.installing"
        fail "installing the packages failed; the reason is above"
    fi
    installed_state "$@" >"$stamp.new"
    mv "$stamp.new" "$stamp"
    rm -f "$VENV/.installing"
    trap - INT TERM HUP
}

venv_missing() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "this Python has no venv module; on Debian and Ubuntu: apt install python3-venv (or python$version-venv)"
}

# Whether MEDIA_STORAGE_URL is set: in the environment, which wins, or else in .env.
remote_media() {
    if [ -n "${MEDIA_STORAGE_URL+set}" ]; then
        [ -n "$MEDIA_STORAGE_URL" ]
    else
        grep -Eqs '^[[:space:]]*(export[[:space:]]+)?MEDIA_STORAGE_URL[[:space:]]*=[[:space:]]*[^[:space:]#]' .env
    fi
}

ensure_run() {
    if remote_media; then
        ensure_venv installed requirements.txt requirements-s3.txt
    else
        ensure_venv installed requirements.txt
    fi
}
ensure_dev() { ensure_venv installed-dev requirements.txt requirements-s3.txt requirements-dev.txt; }
