#!/bin/sh
# Masks the units that belong to hardware, consoles or a whole kernel, none of which a system container has.
set -eu
systemctl mask \
    dev-hugepages.mount sys-fs-fuse-connections.mount \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    systemd-logind.service getty.target console-getty.service \
    systemd-modules-load.service systemd-udevd.service systemd-udev-trigger.service \
    systemd-timesyncd.service systemd-firstboot.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
systemctl set-default multi-user.target
