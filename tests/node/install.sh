#!/bin/sh
# Installs the clients of package-lock.json, by their hashes, into $NEURATRADE_NODE (.node beside the sources
# unless set). Does nothing, at once, when they are there. A client that is added: npm install --package-lock-only
# in this folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=${NEURATRADE_NODE:-$here/../../.node}
if cmp -s "$here/package-lock.json" "$place/installed-lock.json"; then exit 0; fi
mkdir -p "$place"
rm -f "$place/installed-lock.json"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$place/"
(cd "$place" && npm ci --loglevel=error >&2)
cp "$here/package-lock.json" "$place/installed-lock.json"
