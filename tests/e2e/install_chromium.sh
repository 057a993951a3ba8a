#!/usr/bin/env bash
# Makes sure that there is a Chromium to test in: the system's own package, or what CHROMIUM names.
set -euo pipefail
if command -v chromium >/dev/null || command -v google-chrome >/dev/null || [ -n "${CHROMIUM:-}" ]; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Chromium is missing: install it (on Debian: apt-get install chromium), or name another one in CHROMIUM." >&2
  exit 1
fi
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core
