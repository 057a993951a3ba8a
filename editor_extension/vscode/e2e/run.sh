#!/usr/bin/env bash
# Runs the end-to-end tests, one file after the other.  Usage: run.sh DIRECTORY-OF-install.sh [TEST-FILE…]
set -euo pipefail
export REST_LSP_TEST_E2E=${1:?Usage: run.sh DIRECTORY [TEST-FILE…]}
shift
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- e2e/*.test.ts
exec "$REST_LSP_TEST_E2E"/node/run --disable-warning=MODULE_TYPELESS_PACKAGE_JSON --test --test-concurrency=1 --test-reporter=spec "$@"
