#!/bin/sh
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Changes a drop-in of sshd so that it undoes itself unless somebody who got in says "keep".
#   sshd_switch.sh switch DROPIN CANDIDATE SECONDS | restore DROPIN | keep DROPIN
set -eu

verb=$1
dropin=$2
former=/etc/ssh/groundcrew-sshd.former
unit=groundcrew-sshd-restore
# What the timer runs must not need this script: it is gone once Ansible has run it.
undo="if [ -s $former ]; then cp -p $former $dropin; else rm -f $dropin; fi; rm -f $former; systemctl try-reload-or-restart ssh.service"

disarm() {
    systemctl stop "$unit.timer" 2>/dev/null || true
    systemctl reset-failed "$unit.service" 2>/dev/null || true
}

case $verb in
switch)
    candidate=$3 seconds=$4
    if ! grep -Eiq '^[[:space:]]*Include[[:space:]]+/etc/ssh/sshd_config\.d/\*\.conf' /etc/ssh/sshd_config; then
        echo "/etc/ssh/sshd_config does not include /etc/ssh/sshd_config.d/*.conf, so a drop-in would have no effect: add the line at its top." >&2
        exit 1
    fi
    # A timer of an earlier run that was killed would undo this one.
    disarm
    # A former configuration that is still there was never replaced by a proven one.
    [ -e "$former" ] || if [ -e "$dropin" ]; then cp -p "$dropin" "$former"; else : >"$former"; fi
    systemd-run --quiet --collect --unit="$unit" --on-active="$seconds" --timer-property=AccuracySec=1s /bin/sh -c "$undo"
    mv "$candidate" "$dropin"
    if ! sshd -t; then
        disarm
        sh -c "$undo"
        echo "sshd refuses its configuration with the new drop-in (above); the former one is back." >&2
        exit 1
    fi
    systemctl try-reload-or-restart ssh.service
    ;;
restore)
    disarm
    sh -c "$undo"
    ;;
keep)
    disarm
    rm -f "$former"
    ;;
esac
