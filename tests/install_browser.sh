#!/bin/sh
# Installs Chromium and Firefox for the browser tests where that is possible: on Debian, as root.
# Elsewhere it says so and succeeds; the tests then skip, or fail where CI is set.
set -eu

has() {
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

missing=""
has chromium chromium-browser google-chrome || missing="chromium"
has firefox-esr firefox || missing="$missing firefox-esr"
if [ -z "$missing" ]; then
    exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing: $missing, and only root can install it here, with apt-get:" \
        "browser tests will be skipped" >&2
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
# One that cannot be had must not keep the other away.
apt-get update >&2 || true
for package in $missing; do
    if ! apt-get install --yes --no-install-recommends "$package" >&2; then
        echo "$package could not be installed: browser tests will be skipped" >&2
    fi
done
