#!/bin/sh
# Installs the `neuratrade` command for the user who runs it, in a virtual environment of its own.
set -eu

usage() {
    cat <<'TEXT'
usage: sh install.sh [--from PATH_OR_URL] [--bin FOLDER] [--upgrade | --uninstall] [--help]

Installs the `neuratrade` command for you alone, without root: its packages go into a virtual environment of their
own, taken from the lock by hash. Running it again changes nothing.

  --from PATH_OR_URL  a checkout, a git address or a .tar.gz to install from (default: the checkout of this script)
  --bin FOLDER        where to link the command (default: ~/.local/bin)
  --upgrade           replace an installed version by the one here
  --uninstall         remove the command and its environment; your data stays

From anywhere, in one line:  curl -fsSL ADDRESS_OF_THIS_FILE | sh -s -- --from ADDRESS_OF_THE_REPOSITORY
Needs Python 3.11, 3.12 or 3.13; NEURATRADE_PYTHON names one that is not on the PATH.
TEXT
}

say() { printf 'neuratrade: %s\n' "$*"; }

fail() { # fail EXIT_CODE MESSAGE [NEXT_STEP]
    printf 'neuratrade: %s\n' "$2" >&2
    [ -z "${3:-}" ] || printf '  %s\n' "$3" >&2
    exit "$1"
}

source=
action=install
bin=
while [ $# -gt 0 ]; do
    case $1 in
        --from | --bin)
            [ $# -ge 2 ] || fail 2 "$1 needs a value" "sh install.sh --help shows how"
            if [ "$1" = --from ]; then source=$2; else bin=$2; fi
            shift
            ;;
        --upgrade | --uninstall)
            [ "$action" = install ] || fail 2 "--upgrade and --uninstall exclude each other" "choose one of them"
            action=${1#--}
            ;;
        -h | --help) usage; exit 0 ;;
        *) fail 2 "unknown option $1" "sh install.sh --help lists the options" ;;
    esac
    shift
done

[ -n "${HOME:-}" ] || fail 1 "HOME is not set" "set it to your home folder: that is where the command goes"
data=${XDG_DATA_HOME:-$HOME/.local/share}/neuratrade
venv=$data/venv
bin=${bin:-$HOME/.local/bin}
link=$bin/neuratrade

is_our_link() { [ -L "$link" ] && [ "$(readlink "$link")" = "$venv/bin/neuratrade" ]; }

uninstall() {
    [ -d "$venv" ] || is_our_link || { say "not installed: nothing at $venv and no link at $link"; return; }
    if is_our_link; then rm -f "$link" && say "removed the link $link"; fi
    if [ -d "$venv" ]; then rm -rf "$venv" && say "removed the environment $venv"; fi
    home=${NEURATRADE_HOME:-$data}
    rmdir "$data" 2>/dev/null || true
    if [ -d "$home" ]; then
        say "kept your data in $home (journal, keys, settings): delete the folder yourself if you no longer want it"
    else
        say "there was no data to keep"
    fi
}

is_checkout() { [ -f "$1/pyproject.toml" ] && [ -f "$1/tools/venv.sh" ] && [ -f "$1/requirements/run.txt" ]; }

# Leaves the folder to install from in $checkout.
find_checkout() {
    if [ -z "$source" ]; then
        case $0 in */install.sh | install.sh) source=$(cd "$(dirname "$0")" && pwd) ;; esac
        [ -n "$source" ] || fail 2 "this script does not sit in a checkout" "say where to install from: --from PATH_OR_URL"
    fi
    if [ -d "$source" ]; then
        checkout=$(cd "$source" && pwd)
    else
        case $source in *://* | *@*:*) ;; *) fail 1 "$source is no folder and no address" "check what follows --from" ;; esac
        download
    fi
    is_checkout "$checkout" || fail 1 "$source holds no NeuraTrade checkout" \
        "expected pyproject.toml, tools/venv.sh and requirements/run.txt there"
}

download() {
    fetched=$(mktemp -d)
    trap 'rm -rf "$fetched"' EXIT
    trap 'exit 130' INT TERM
    checkout=$fetched/neuratrade
    mkdir "$checkout"
    say "fetching $source"
    case $source in
        *.tar.gz | *.tgz)
            command -v curl >/dev/null 2>&1 || fail 1 "curl is needed to fetch $source" "install curl, or give a folder"
            curl -fsSL --retry 3 --max-time 600 -o "$fetched/source.tar.gz" "$source" ||
                fail 1 "could not fetch $source" "check the address and the network, then run this again"
            tar -xzf "$fetched/source.tar.gz" --strip-components=1 -C "$checkout" ||
                fail 1 "$source is no readable .tar.gz" "check the address"
            ;;
        *)
            command -v git >/dev/null 2>&1 || fail 1 "git is needed to fetch $source" "install git, or give a folder"
            git clone --quiet --depth 1 "$source" "$checkout" ||
                fail 1 "could not fetch $source" "check the address and the network, then run this again"
            ;;
    esac
}

check_places() {
    if [ -e "$link" ] || [ -L "$link" ]; then
        is_our_link || fail 1 "$link is there and is not from this installer" "move it away, or choose another --bin FOLDER"
    fi
    for folder in "$bin" "$data"; do
        mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] ||
            fail 1 "cannot write to $folder" "make it writable for you, or choose another place (--bin, XDG_DATA_HOME)"
    done
}

installed_version() { "$venv/bin/python" -c 'import neuratrade; print(neuratrade.__version__)' 2>/dev/null; }

install() {
    find_checkout
    check_places
    before=$(installed_version) || before=
    if sh "$checkout/tools/venv.sh" --check "$venv" run copied && is_our_link; then
        say "neuratrade $before is installed already: nothing to do"
    elif [ -n "$before" ] && is_our_link && [ "$action" != upgrade ]; then
        say "neuratrade $before is installed and differs from $source: left as it is"
        say "to replace it: sh install.sh --upgrade"
    else
        sh "$checkout/tools/venv.sh" "$venv" run copied
        ln -sfn "$venv/bin/neuratrade" "$link"
        say "${before:+upgraded from $before: }installed neuratrade $(installed_version)"
        say "  command      $link"
        say "  environment  $venv"
    fi
    tell_about_path
}

tell_about_path() {
    case :$PATH: in
        *":$bin:"*) say "start with: neuratrade run" ;;
        *)
            say "$bin is not on your PATH; add this line to your shell's start file:"
            printf '  export PATH="%s:$PATH"\n' "$bin"
            ;;
    esac
}

if [ "$action" = uninstall ]; then uninstall; else install; fi
