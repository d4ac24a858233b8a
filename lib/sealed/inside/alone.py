"""A student's or an examiner's process without a sandbox, for machines that have none.

    python alone.py '{"role": "student", "port": 5000, "token": "...", "path": [...], ...}'

It connects to the port on this machine, shows the token, and serves.
"""

import json
import os
import socket
import sys

orders = json.loads(sys.argv[1])
sys.path.extend(orders["path"])

from sealed.inside import process  # noqa: E402
from sealed.inside.cells import Cells  # noqa: E402

if __name__ == "__main__":
    os.chdir(orders["folder"])
    sock = socket.create_connection(("127.0.0.1", orders["port"]))
    sock.sendall(orders["token"].encode())
    process.serve(orders["role"], sock, Cells(), orders["settings"], orders["limits"])
