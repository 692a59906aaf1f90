"""Says which TCP ports answer, from wherever it is run: reads [[address, port], …] and prints those that are open.

Runs on the lab's hosts and inside the network namespaces of their containers, so it needs nothing but Python.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor


def is_open(target: tuple[str, int]) -> bool:
    """Try to connect.

    Args:
        target: Address and port.

    Returns:
        Whether the connection was accepted within a second.
    """
    try:
        with socket.create_connection(target, timeout=1):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    targets = [(address, port) for address, port in json.loads(sys.argv[1])]
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(is_open, targets))
    print(json.dumps([target for target, answer in zip(targets, answers, strict=True) if answer]))
