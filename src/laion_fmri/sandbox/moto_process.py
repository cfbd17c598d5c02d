"""A moto S3 server in a process of its own: tells its address and ends when its standard input does."""

from __future__ import annotations

import logging
import sys


def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
