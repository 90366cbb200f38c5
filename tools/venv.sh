#!/bin/sh
# Makes a virtual environment hold exactly what a lock names, plus this package; does nothing when it already does.
#
#   sh tools/venv.sh [--check] FOLDER LOCK editable|copied
#
# LOCK is run or dev (requirements/LOCK.txt); --check only tells by the exit code whether there is nothing to do.
# Needs only Python 3.11 to 3.13 with venv or pip. Packages are taken by hash, never by name alone. Everything it says
# goes to stderr, so that the output of the command that follows stays clean. NEURATRADE_PYTHON names the interpreter
# to use instead of the newest that works.
set -eu

only_check=
[ "$1" != --check ] || { only_check=yes; shift; }
venv=$1
lock=$2
kind=$3
root=$(cd "$(dirname "$0")/.." && pwd)
python=$venv/bin/python

say() { printf 'neuratrade: %s\n' "$*" >&2; }

die() {
    say "$1"
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 1
}

in_range() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }

version_of() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo 'does not run'; }

# A name on the PATH proves nothing: version managers leave shims that only print an error. So each one is run.
find_python() {
    if [ -n "${NEURATRADE_PYTHON:-}" ]; then
        in_range "$NEURATRADE_PYTHON" && { echo "$NEURATRADE_PYTHON"; return; }
        die "NEURATRADE_PYTHON=$NEURATRADE_PYTHON cannot be used ($(version_of "$NEURATRADE_PYTHON"))" \
            "needed: Python 3.11, 3.12 or 3.13; unset it to let the newest installed one be found"
    fi
    seen=
    for name in python3.13 python3.12 python3.11 python3 python; do
        command -v "$name" >/dev/null 2>&1 || continue
        if in_range "$name" && "$name" -c 'import venv' 2>/dev/null; then
            if "$name" -c 'import ensurepip' 2>/dev/null || "$name" -m pip --version >/dev/null 2>&1; then
                echo "$name"
                return
            fi
            seen="$seen $name (has neither ensurepip nor pip);"
        else
            seen="$seen $name ($(version_of "$name"));"
        fi
    done
    die "no usable Python: 3.11, 3.12 or 3.13 with pip is needed" "found:${seen:- none}" \
        "install one (Debian: apt-get install python3 python3-venv), or set NEURATRADE_PYTHON to its path"
}

# What an environment is made from: when any of it changes, it is installed again.
fingerprint() {
    place
    cat "$root/requirements/$1.txt" "$root/pyproject.toml"
    [ "$kind" = editable ] || (cd "$root/src" && find . -name __pycache__ -prune -o -type f -exec cksum {} + | sort)
}

place() { if [ "$kind" = editable ]; then echo "editable $root"; else echo "copied"; fi; }

is_current() { [ -r "$venv/.installed-$1" ] && fingerprint "$1" | cmp -s - "$venv/.installed-$1"; }

run_pip() {
    log=$venv/pip.log
    { PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off "$@" 2>&1 && echo exit=0 || echo exit=$?; } | {
        : >"$log"
        while IFS= read -r line; do
            case $line in
                Collecting*)
                    line=${line#Collecting }
                    printf '  %s\n' "${line%% *}" >&2
                    ;;
                exit=0) exit 0 ;;
                exit=*)
                    grep -v '^WARNING: Location' "$log" | tail -n 15 >&2
                    die "installing failed; the lines above are pip's last, all of them are in $log" \
                        "nothing is lost: run the same command again once the cause is gone"
                    ;;
            esac
            printf '%s\n' "$line" >>"$log"
        done
    }
}

make_venv() {
    base=$(find_python)
    say "making $venv with Python $(version_of "$base")"
    mkdir -p "$venv" 2>/dev/null && [ -w "$venv" ] || die "cannot write to $venv" "choose a folder you may write to"
    if "$base" -c 'import ensurepip' 2>/dev/null && "$base" -m venv --clear "$venv" >/dev/null 2>&1; then return; fi
    # Debian without python3-venv: a venv can be made, only pip must come from the pip that is there.
    "$base" -m venv --clear --without-pip "$venv" || die "Python could not make $venv (see above)"
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    run_pip "$base" -m pip install --target "$site" --require-hashes -r "$root/requirements/pip.txt"
}

# A checkout that was moved has scripts in its .venv that still point to the old place: make it anew.
usable() {
    in_range "$python" && "$python" -c 'import pip' 2>/dev/null || return 1
    for stamp in "$venv"/.installed-*; do
        [ -r "$stamp" ] && [ "$(sed -n 1p "$stamp")" != "$(place)" ] && return 1
    done
    return 0
}

[ -r "$root/requirements/$lock.txt" ] || die "no lock $root/requirements/$lock.txt: LOCK is run or dev"

# dev.txt holds all of run.txt in the same versions, so an environment for development also runs the desk.
if { is_current "$lock" || is_current dev; } && in_range "$python"; then exit 0; fi
[ -z "$only_check" ] || exit 1

usable || make_venv
rm -f "$venv"/.installed-*
say "installing what requirements/$lock.txt names (the first time that takes about a minute)"
run_pip "$python" -m pip install --require-hashes -r "$root/requirements/$lock.txt"
if [ "$kind" = editable ]; then set -- --editable; else set -- --force-reinstall; fi
run_pip "$python" -m pip install --no-deps --no-build-isolation "$@" "$root"
fingerprint "$lock" >"$venv/.installed-$lock"
say "ready: $("$python" -c 'import neuratrade as n; print("neuratrade", n.__version__)') in $venv"
