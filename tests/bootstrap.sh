#!/bin/sh
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes build/venv (every program that the Makefile runs, at fixed versions) and build/collections (this tree under
# the path that Ansible looks for). Needs a Python >= 3.12 and nothing else; does nothing when nothing changed.
#
#   tests/bootstrap.sh                  the environment
#   tests/bootstrap.sh importer         build/importer: galaxy-importer wants older packages than the rest
#   tests/bootstrap.sh packages NAME…   Debian packages that are not installed yet
#   tests/bootstrap.sh unstarted NAME…  the same, without the services that packages start
#   tests/bootstrap.sh postgresql       a PostgreSQL server for tests to start, without the cluster that its package makes
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# A version manager's stand-in may be on the path and fail, so each candidate has to run and say what it is.
runs() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; }

find_python() {
  if [ -n "${PYTHON:-}" ]; then
    runs "$PYTHON" || die "PYTHON=$PYTHON does not run, or is older than Python 3.12."
    command -v "$PYTHON"
    return
  fi
  for python in python3.12 python3.13 python3.14 python3 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3 /usr/local/bin/python3.1[2-9] /opt/python*/bin/python3; do
    if runs "$python"; then
      "$python" -c 'import sys; print(sys._base_executable)' # itself, where it is that of a virtual environment
      return
    fi
  done
  die "no Python >= 3.12 was found. Install one (Debian 13: apt install python3), or name it: make PYTHON=/path/to/python3 …"
}

packages() {
  missing=""
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || die "these Debian packages are needed, and there is no apt-get to install them:$missing"
  [ "$(id -u)" -eq 0 ] || die "these Debian packages are needed. As root, run: apt-get install$missing"
  say "installing$missing"
  # shellcheck disable=SC2086 # a list of names
  apt_install --no-install-recommends $missing
}

# apt_install OPTION NAME…: as apt-get, with lists that are up to date
apt_install() {
  mkdir -p build
  # A third party's source that does not answer makes the update fail, and is no reason to stop: the install decides.
  apt-get -qq update >build/apt.log 2>&1 || say "warning: apt-get update was not complete (build/apt.log)"
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "$@" >>build/apt.log 2>&1 \
    || { tail -n 5 build/apt.log >&2; die "apt-get could not install $* (build/apt.log)"; }
}

unstarted() {
  policy=/usr/sbin/policy-rc.d # what Debian asks before it starts anything; a machine may have its own
  if [ "$(id -u)" -eq 0 ] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  packages "$@"
}

postgresql() {
  packages postgresql-common
  cluster=/etc/postgresql-common/createcluster.d/groundcrew.conf
  if [ "$(id -u)" -eq 0 ]; then
    mkdir -p "${cluster%/*}" # a machine that had PostgreSQL before may lack the folder
    printf 'create_main_cluster = false\n' >"$cluster"
  fi
  packages postgresql
  rm -f "$cluster"
  upgraded
}

# A restore refuses a pg_restore with known holes, so a machine that had PostgreSQL before gets its newest minor.
upgraded() {
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 'postgresql-[0-9]*' 'postgresql-client-[0-9]*' | sed -n 's/^ii *//p')
  [ "$(id -u)" -eq 0 ] && [ "$(cat build/.upgraded 2>/dev/null)" != "$installed" ] || return 0
  say "upgrading PostgreSQL"
  # shellcheck disable=SC2086 # a list of names
  apt_install --only-upgrade $installed
  printf '%s\n' "$installed" >build/.upgraded
}

# make_venv FOLDER PIP-ARGUMENT…: an environment with exactly these packages, made anew when they or the Python change
make_venv() {
  venv=$1 && shift
  python=$(find_python)
  wanted=$({ "$python" -c 'import sys; print(sys.executable, sys.version)'; pwd -P; printf '%s\n' "$@"; cat requirements.txt requirements-dev.txt tests/*.txt; } | cksum)
  [ "$(cat "$venv/.complete" 2>/dev/null)" != "$wanted" ] || return 0
  say "making $venv with $("$python" --version)"
  if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then # Debian keeps both in a package of their own
    packages "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  fi
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip --quiet --disable-pip-version-check install "$(grep '^uv==' requirements-dev.txt)" >&2
  # uv takes seconds where pip takes a minute, but it does not read pip's settings (a mirror, a proxy): pip is the second try.
  "$venv/bin/uv" --quiet pip install --python "$venv/bin/python" "$@" >&2 \
    || "$venv/bin/python" -m pip --quiet --disable-pip-version-check install "$@" >&2 \
    || die "the packages of $venv could not be installed: $*"
  printf '%s\n' "$wanted" >"$venv/.complete" # last: a run that was killed starts over
}

environment() {
  mkdir -p build
  make_venv build/venv -r requirements-dev.txt -c tests/constraints.txt
  mkdir -p build/collections/ansible_collections/groundcrew
  ln -sfn ../../../.. build/collections/ansible_collections/groundcrew/ops
}

case "${1:-environment}" in
  environment) environment ;;
  importer) make_venv build/importer -r tests/importer.txt ;;
  packages) shift && packages "$@" ;;
  unstarted) shift && unstarted "$@" ;;
  postgresql) postgresql ;;
  *) die "unknown command: $1" ;;
esac
