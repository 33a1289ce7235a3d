#!/bin/sh
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Changes a configuration that decides who gets in, so that it undoes itself unless somebody who got in says "keep".
#   guarded_switch.sh switch NAME TARGET APPLY CANDIDATE CHECK SECONDS | restore NAME TARGET APPLY | keep NAME
# CHECK and APPLY are shell commands: is the target well-formed, and put it (or its absence) in force.
set -eu

verb=$1
name=$2
former=/var/lib/groundcrew/$name.former
unit=groundcrew-$name-restore

disarm() {
    systemctl stop "$unit.timer" 2>/dev/null || true
    systemctl reset-failed "$unit.service" 2>/dev/null || true
}

if [ "$verb" = keep ]; then
    disarm
    rm -f "$former"
    exit 0
fi

target=$3
apply=$4
# What the timer runs must not need this script: it is gone once Ansible has run it.
undo="if [ -s $former ]; then cp -p $former $target; else rm -f $target; fi; rm -f $former; $apply"

if [ "$verb" = restore ]; then
    disarm
    sh -c "$undo"
    exit 0
fi

candidate=$5
check=$6
seconds=$7
mkdir -p /var/lib/groundcrew
# A timer of an earlier run that was killed would undo this one.
disarm
# A former configuration that is still there was never replaced by a proven one.
[ -e "$former" ] || if [ -e "$target" ]; then cp -p "$target" "$former"; else : >"$former"; fi
systemd-run --quiet --collect --unit="$unit" --on-active="$seconds" --timer-property=AccuracySec=1s /bin/sh -c "$undo"
mv "$candidate" "$target"
if ! sh -c "$check" || ! sh -c "$apply"; then
    disarm
    sh -c "$undo"
    echo "$target was refused with this change (above); what was there before is back." >&2
    exit 1
fi
