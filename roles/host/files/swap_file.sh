#!/bin/sh
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a swap file: swap_file.sh FILE MIB. It gets its name when it is whole: a run that was killed begins anew.
# One that is in use goes out of use before. Where memory does not suffice for that, it stays as it is.
set -eu
umask 077

file=$1
mib=$2
trap 'rm -f "$file.new"' EXIT
dd if=/dev/zero of="$file.new" bs=1M count="$mib" conv=fsync status=none
mkswap "$file.new"
if swapon --show=NAME --noheadings --raw | grep -qxF "$file"; then
    swapoff "$file"
fi
mv "$file.new" "$file"
