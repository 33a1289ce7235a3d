#!/bin/sh
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Tells which keywords of the hardening, which is read from stdin, would not be in force: a line "KEYWORD VALUE (by PLACE)" for each.
# sshd takes the first value that it reads, so its configuration is compared with one that has the hardening before all else.
set -eu
export LC_ALL=C

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/drop-ins"
for file in /etc/ssh/sshd_config.d/*.conf; do
    [ ! -e "$file" ] || cp "$file" "$folder/drop-ins/"
done
cat >"$folder/drop-ins/10-groundcrew.conf"
sed "s#/etc/ssh/sshd_config\.d/#$folder/drop-ins/#" /etc/ssh/sshd_config >"$folder/as_it_is"
{
    cat "$folder/drop-ins/10-groundcrew.conf"
    echo "Include $folder/as_it_is"
} >"$folder/first"
for each in as_it_is first; do
    /usr/sbin/sshd -T -f "$folder/$each" >"$folder/said"
    sort -u "$folder/said" >"$folder/$each.said"
done

place() {
    above=$(sed '/^[[:space:]]*include[[:space:]].*sshd_config\.d/Iq' /etc/ssh/sshd_config | grep -inE "^[[:space:]]*$1[[:space:]=]" | head -n 1 | cut -d: -f1)
    if [ -n "$above" ]; then
        echo "/etc/ssh/sshd_config:$above"
    else
        grep -iHnE "^[[:space:]]*$1[[:space:]=]" /etc/ssh/sshd_config.d/*.conf | grep -v '/10-groundcrew\.conf:' | head -n 1 | cut -d: -f1,2
    fi
}

comm -3 "$folder/as_it_is.said" "$folder/first.said" | awk '{print $1}' | sort -u | while read -r keyword; do
    value=$(grep "^$keyword " "$folder/as_it_is.said" | head -n 1 || true)
    by=$(place "$keyword")
    echo "${value:-$keyword} (by ${by:-a line that is read before})"
done
