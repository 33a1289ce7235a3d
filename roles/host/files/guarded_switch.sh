#!/bin/sh
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Changes a configuration that decides who gets in, so that it undoes itself unless somebody who got in says "keep".
#   guarded_switch.sh switch NAME TARGET APPLY CANDIDATE CHECK SECONDS | restore NAME | keep NAME
# CHECK and APPLY are shell commands: is the target well-formed, and put it (or its absence) in force.
# The former configuration is there from the switch until it is back in force or the new one is kept. Then keep ends with 3: it came too late.
set -eu

verb=$1
name=$2
folder=/var/lib/groundcrew
former=$folder/$name.former
undo=$folder/$name.undo
lock=/run/groundcrew-$name.lock
unit=groundcrew-$name-restore
units=/etc/systemd/system

# Whoever comes while the host restores by itself waits for the end of it. Its service does nothing yet if it waits as well, and must not come after.
exec 9>"$lock"
flock 9
systemctl stop "$unit.timer" "$unit.service" 2>/dev/null || true

if [ "$verb" = keep ]; then
    [ -e "$former" ] || exit 3
    rm "$former"
    sh "$undo"
    exit 0
fi

if [ "$verb" = restore ]; then
    [ ! -e "$former" ] || sh "$undo"
    exit 0
fi

target=$3
apply=$4
candidate=$5
check=$6
seconds=$7
mkdir -p "$folder"
# What the timer runs must not need this script: it is gone once Ansible has run it. What was restored is in force before it is forgotten.
cat >"$undo.new" <<END
set -eu
if [ -e $former ]; then
    if [ -s $former ]; then cp -p $former $target.former && mv $target.former $target; else rm -f $target; fi
    $apply
    rm $former
fi
systemctl disable --now --quiet $unit.timer
systemctl reset-failed $unit.service 2>/dev/null || true
rm -f $units/$unit.timer $units/$unit.service $undo
systemctl daemon-reload
END
mv "$undo.new" "$undo"
# Units with files outlive a reboot, and the timer begins anew after it.
cat >"$units/$unit.service" <<END
[Unit]
Description=groundcrew: restore the former configuration of $name
[Service]
Type=oneshot
ExecStart=/usr/bin/flock $lock /bin/sh $undo
END
cat >"$units/$unit.timer" <<END
[Unit]
Description=groundcrew: restore the former configuration of $name unless the new one is proven
[Timer]
OnActiveSec=$seconds
AccuracySec=1s
[Install]
WantedBy=timers.target
END
systemctl daemon-reload

# A former configuration that is still there was never replaced by a proven one.
if [ ! -e "$former" ]; then
    if [ -e "$target" ]; then cp -p "$target" "$former.new"; else : >"$former.new"; fi
    mv "$former.new" "$former"
fi
systemctl enable --now --quiet "$unit.timer"

mv "$candidate" "$target"
if ! sh -c "$check" || ! sh -c "$apply"; then
    sh "$undo"
    echo "$target was refused with this change (above); what was there before is back." >&2
    exit 1
fi
