"""`warmline` as a command in processes of its own that need not import everything anew.

A server imports the command line once and forks for each command. What stands in PATH as
`warmline` is a small client: it hands the server its arguments, its folder, its environment and its
three streams, and ends with the exit code of the fork. Run as a program, this is the server:
`python -m support.commands SOCKET` serves until its standard input ends. With a further argument,
the folder of the flows, it imports what a night needs as well; its surroundings are then those of
all nights, as Prefect reads them when it is imported.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import NoReturn

from support.listening import SharedForkServer
from warmline.cli import COMMANDS

#: What commands import when they need it, but torch, whose threads do not outlive a fork: what
#: listens is imported by a server of its own (`listening.py`).
IMPORTED = (
    *(f"warmline.cli.{listed.home.partition(':')[0]}" for listed in COMMANDS.values()),
    *("warmline.pipeline.workers", "warmline.run", "warmline.privacy.erasing"),
    *("warmline.warehouse.outcomes", "warmline.warehouse.publishing"),
    "warmline.reports.monitoring",
    *("warmline.query.export", "warmline.query.search", "warmline.privacy.subject_access"),
    *("warmline.web.store", "pandas", "statsmodels.api", "rich.table", "rich.progress"),
)

CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(asked).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(asked)
    code = server.recv(1)
os._exit(code[0] if code else 255)
"""


@contextmanager
def commands(*flows: Path, surroundings: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """A folder for PATH, with the command `warmline` in it; where flows are given, also nights."""
    with TemporaryDirectory(prefix="warmline-") as place:  # an address has a hundred letters
        address, client = f"{place}/commands", Path(place, "bin", "warmline")
        client.parent.mkdir()
        client.write_text(CLIENT.format(python=sys.executable, address=address))
        client.chmod(0o755)
        with subprocess.Popen(
            [sys.executable, "-m", "support.commands", address, *map(str, flows)],
            env=dict(surroundings),
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as server:
            assert server.stdin and server.stdout
            server.stdout.readline()
            try:
                yield client.parent
            finally:
                server.stdin.close()


def serve(address: str, *flows: str) -> None:
    gc.disable()
    for module in IMPORTED:
        import_module(module)
    if flows:
        sys.path[:0] = flows
        import_module("analyze_calls")
    SharedForkServer().start()
    assert "torch" not in sys.modules and threading.active_count() == 1
    gc.collect()
    gc.freeze()  # a fork that looks at none of it shares it
    gc.enable()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        os.write(1, b"ready\n")
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    answer(connection)
                    return


def answer(connection: socket.socket) -> None:
    """Run the command that is asked for in a fork of this process, and send its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(connection, 8, 3)
    with connection.makefile("rb") as file:
        arguments, folder, environment = json.loads(file.read(int.from_bytes(size, "big")))
    child = os.fork()
    if child == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        run(arguments, folder, environment)
    for stream in streams:
        os.close(stream)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.sendall(bytes([code if code >= 0 else 128 - code]))


def run(arguments: list[str], folder: str, environment: dict[str, str]) -> NoReturn:
    """Do what `warmline` does when it is started with these, and end this process."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = ["warmline", *arguments]
    sys.modules["__main__"] = ModuleType("__main__")  # it was not started as a module of these
    from warmline.cli import main

    code: object = 70
    try:
        main()
        code = 0
    except SystemExit as e:
        code = e.code or 0
    except BaseException:
        traceback.print_exc()
    # What an interpreter does at its end, but for taking apart what was imported for all of them.
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed by the command, or nobody reads it
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve(*sys.argv[1:])
