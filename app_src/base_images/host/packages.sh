#!/bin/sh
# Installs what a fresh Debian server brings and Ansible needs; with "true" Docker as well.
set -eu
with_docker=$1

apt-get update
apt-get install -y \
    dbus iproute2 iputils-ping kmod libpam-systemd nftables openssh-server procps \
    python3 python3-apt sudo systemd systemd-sysv

if [ "$with_docker" = true ]; then
    # Debian 13 ships the client apart from the daemon.
    client=
    if apt-cache show docker-cli >/dev/null 2>&1; then
        client=docker-cli
    fi
    apt-get install -y docker.io ${client:+"$client"} python3-requests
fi

rm -rf /var/lib/apt/lists/*
# An image is built with policy-rc.d, a machine installs packages without it: their services start.
rm -f /usr/sbin/policy-rc.d
# Made anew at the first boot: else every host would have the same identity.
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id /etc/ssh/ssh_host_*
install -d -m 0700 /root/.ssh
