"""A client that holds half-sent requests open: PORT CONNECTIONS PER_SECOND.

It is a process of its own, with one thread and without buffers, so that it takes little of the
processor from what it attacks. It opens all connections at once, then replaces so many a second:
the oldest, which the server ended if it ended any. It prints `ready` once all are open, and ends
with stdin.
"""

import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress

HALF = b"POST /v1/acme/related HTTP/1.1\r\nhost: shop\r\ncontent-length: 99\r\n\r\n{"


def main(port: int, connections: int, per_s: float) -> None:
    """Attack until stdin ends."""
    held = deque(opened(port) for _ in range(connections))
    due = time.monotonic()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], max(due - time.monotonic(), 0))[0]:
        held.popleft().close()
        held.append(opened(port))
        due = max(due + 1 / per_s, time.monotonic())


def opened(port: int) -> socket.socket:
    """A connection with half a request; it may be ended already."""
    client = socket.socket()
    with suppress(OSError):
        client.connect(("127.0.0.1", port))
        client.sendall(HALF)
    return client


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
