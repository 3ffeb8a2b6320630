#!/usr/bin/env bash
# Install the missing ones of apt-packages.txt, as root or through sudo; else say what is missing and how to get it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian or Ubuntu. Install the equivalents of scripts/apt-packages.txt, then: make SYSTEM=skip ${1:-demo}" >&2
    exit 1
fi
missing=()
while read -r package _; do
    case "$package" in '' | '#'*) continue ;; esac
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done <"$here/apt-packages.txt"
# A Python that brings its own venv module does not need Debian's packages of it.
if python3 -c 'import venv, ensurepip, sysconfig, os; assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null; then
    kept=()
    for package in "${missing[@]}"; do
        case "$package" in python3-venv | python3-dev) ;; *) kept+=("$package") ;; esac
    done
    missing=("${kept[@]}")
fi
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing system packages: ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=(sudo)
else
    echo "These system packages are missing and neither root nor sudo is here. Ask an administrator to run:" >&2
    echo "    apt-get install ${missing[*]}" >&2
    exit 1
fi
"${as_root[@]}" apt-get update -q
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
