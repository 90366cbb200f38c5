#!/bin/sh
# Resolves requirements/*.txt anew: one version of each package for all platforms and for Python 3.11 to 3.13, with
# the hashes of every file of it. The locks name no download host, so that any mirror can serve them. Needs uv.
set -eu
cd "$(dirname "$0")/.."

command -v uv >/dev/null 2>&1 || {
    echo "lock: uv is needed to resolve for all platforms: pip install uv" >&2
    exit 1
}

resolve() {
    # --no-config: a local index or wheel folder would leave out the hashes of other platforms.
    env -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS uv --no-config pip compile "$@" --quiet --upgrade \
        --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --system-certs \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links
}

resolve pyproject.toml --all-extras --group pyproject.toml:dev --output-file requirements/dev.txt
resolve pyproject.toml --group pyproject.toml:build --constraint requirements/dev.txt --output-file requirements/run.txt
echo pip | resolve - --output-file requirements/pip.txt

if grep -n -i -E '://|file:|^-|(^|[^a-z])torch==' requirements/*.txt; then
    echo "lock: the lines above name a host, a path or torch; a lock may not" >&2
    exit 1
fi
echo "locked: $(grep -c '==' requirements/run.txt) packages to run, $(grep -c '==' requirements/dev.txt) to develop"
