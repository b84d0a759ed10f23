#!/usr/bin/env bash
# Installs the few system packages that warmline can use, where that is allowed.
#
#   python3-venv         to create the virtual environment (part of some Pythons already)
#   chromium             the browser that tests of the pages look through; without it they are skipped
#   flite, espeak-ng     the voices of `warmline simulate`; analyzing calls does not need them
#
# Does nothing when all are there. Exits 1 only if the environment cannot be made without help.
set -euo pipefail

python=${PYTHON:-$(command -v python3.11 || command -v python3.12 || command -v python3 || true)}
needed=()
wanted=()
if [ -z "$python" ]; then
  needed+=(python3 python3-venv)
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  needed+=(python3-venv)
fi
command -v make >/dev/null || needed+=(make)
command -v flite >/dev/null || wanted+=(flite)
command -v espeak-ng >/dev/null || wanted+=(espeak-ng)
command -v chromium >/dev/null || wanted+=(chromium)

missing=("${needed[@]}" "${wanted[@]}")
if [ ${#missing[@]} -eq 0 ]; then
  echo "system packages: all there"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  how="no apt-get here; install with this system's own package manager: ${missing[*]}"
elif [ "$(id -u)" -eq 0 ]; then
  run=(env DEBIAN_FRONTEND=noninteractive)
elif sudo -n true 2>/dev/null; then
  run=(sudo -n env DEBIAN_FRONTEND=noninteractive)
else
  how="not allowed to install; ask for: sudo apt-get install ${missing[*]}"
fi

if [ -z "${how:-}" ]; then
  echo "system packages: installing ${missing[*]}"
  if "${run[@]}" apt-get update -qq </dev/null &&
    "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null; then
    exit 0
  fi
  how="apt-get could not install: ${missing[*]}"
fi

echo "system packages: $how" >&2
[ ${#needed[@]} -eq 0 ] || exit 1
echo "system packages: going on; \`warmline simulate\` and tests need them, nothing else" >&2
