#!/bin/sh
# Installs a Chromium for the browser tests where that is possible: on Debian, as root.
# Elsewhere it says so and succeeds; the tests then skip, or fail where CI is set.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "no Chromium found, and it can only be installed here by root with apt-get:" \
        "the browser tests will be skipped" >&2
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && apt-get install --yes --no-install-recommends chromium; } >&2; then
    echo "Chromium could not be installed: the browser tests will be skipped" >&2
fi
