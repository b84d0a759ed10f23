"""Runs a command where every packet that leaves any of its processes is seen, and leads nowhere.

    unshare --map-root-user --net python network_attempts.py SEEN COMMAND...

In a network namespace of its own all addresses lead back to it, so that an attempt is refused at
once. What is seen is written as lines of "protocol address port": whoever sends, in whatever
language. Only loopback is left out, but for questions to a name server there.
"""

import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from time import sleep

_ALL, _IPV4, _IPV6 = 0x0003, 0x0800, 0x86DD
_TO_HERE = (
    ("link", "set", "lo", "up"),
    ("route", "add", "local", "default", "dev", "lo"),
    ("-6", "route", "add", "local", "::/0", "dev", "lo"),
)
_DNS = 53


def destination(kind: int, packet: bytes) -> tuple[int, str, int] | None:
    """The protocol, address and port that a packet is for; None if it is of another kind."""
    if kind == _IPV4:
        protocol, address = packet[9], socket.inet_ntop(socket.AF_INET, packet[16:20])
        rest = packet[(packet[0] & 15) * 4 :]
    elif kind == _IPV6:
        protocol, address = packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40])
        rest = packet[40:]
    else:
        return None
    port = struct.unpack("!H", rest[2:4])[0] if len(rest) >= 4 else 0
    return protocol, address, port


def watch(sniffer: socket.socket, seen: dict[str, None], begun: threading.Event) -> None:
    """Note where packets are for, until the socket is closed."""
    begun.set()
    while True:
        try:
            packet, (_, kind, *_) = sniffer.recvfrom(65536)
        except OSError:
            return
        found = destination(kind, packet)
        if found is None:
            continue
        protocol, address, port = found
        if protocol in (6, 17) and (port == _DNS or not address.startswith(("127.", "::1"))):
            seen[f"{protocol} {address} {port}"] = None


def main() -> None:
    """Run the command, write what was seen, and end as it ended."""
    for words in _TO_HERE:
        subprocess.run(["ip", *words], check=words[0] != "-6")
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
    seen: dict[str, None] = {}
    begun = threading.Event()
    watcher = threading.Thread(target=watch, args=(sniffer, seen, begun), daemon=True)
    watcher.start()
    begun.wait()
    done = subprocess.run(sys.argv[2:])
    sleep(0.5)  # for what is on its way
    Path(sys.argv[1]).write_text("".join(f"{line}\n" for line in seen))
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
