#!/bin/sh
# Docker mounts these read-only in a container that is not privileged; an init and a nested Docker write to them.
# /sys itself stays read-only: that is how systemd knows that there is no hardware to manage.
set -eu
mount -o remount,bind,rw /proc/sys
for directory in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if mountpoint -q "$directory"; then
        mount -o remount,bind,rw "$directory"
    fi
done
# systemd and nested containers expect mounts to propagate, as on a machine that booted by itself.
mount --make-rshared /
printf '%s\n' "${LAB_AUTHORIZED_KEY:-}" > /root/.ssh/authorized_keys
exec /lib/systemd/systemd
