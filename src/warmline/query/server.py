"""Start the processes of queries: forks of one that has imported DuckDB, which takes the longest.

It is started for the first query and kept for the next ones; `query.process` is what it runs.
"""

import atexit
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from warmline.errors import QueryError

#: Time to start a process and open a warehouse, on a busy machine.
STARTUP_S = 60.0
#: How the exit code of a fork is told.
EXIT_CODE = struct.Struct("i")
# macOS has no descriptors of processes: there, each query starts a process from the beginning.
_FORKS = sys.platform == "linux"
# Its modules are where ours are; anything else Python would run at startup is left out.
_START = "import sys; sys.path[:] = {path!r}; from warmline.query.process import {call}"
_ENVIRONMENT = ("LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")


def _start(call: str, connection: socket.socket) -> "subprocess.Popen[bytes]":
    """Start a process that calls this function of `query.process`."""
    here = str(Path(__file__).resolve().parents[1])
    path = [here, *(place for place in sys.path if place)]
    start = _START.format(path=path, call=f"{call}; {call}({os.getpid()})")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", start],
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        stderr=subprocess.DEVNULL,  # native code has its own messages for running out of memory
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )


class _Fork:
    """A fork of the server, used as the process that it is, though it is no child of this one."""

    def __init__(self, process: int, ended: socket.socket) -> None:
        self._process = process
        self._ended = ended
        self._code: int | None = None

    def __enter__(self) -> "_Fork":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._ended.close()
        os.close(self._process)

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def wait(self, timeout_s: float | None = None) -> int:
        """Return its exit code, as Popen does. Raises TimeoutExpired."""
        if self._code is None:
            self._ended.settimeout(timeout_s)
            try:
                code = self._ended.recv(EXIT_CODE.size)
            except TimeoutError as e:
                raise subprocess.TimeoutExpired("query", timeout_s or 0) from e
            # Nothing comes from a server that was killed, and its forks with it.
            self._code = EXIT_CODE.unpack(code)[0] if code else -signal.SIGKILL
        return self._code


Process = _Fork | subprocess.Popen[bytes]


class _Server:
    """The process that forks for each query.

    It is started for the first one, and ends with this process, or once nothing was asked for a
    while; then the next query starts another. A fork of this process has a server of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._left: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it, unless it runs."""
        with self._lock:
            if self._control is None:
                self._restart()

    def fork(self, question: socket.socket) -> _Fork:
        """Return a fork that answers what it is asked over a socket. Raises QueryError."""
        with self._lock:
            try:
                if self._control is not None:
                    with suppress(OSError):  # it has ended
                        return self._forked(self._control, question)
                return self._forked(self._restart(), question)
            except OSError as e:
                raise QueryError(f"the process that answers queries does not start ({e})") from e
            except BaseException:  # interrupted: what it has sent is for this query
                self._leave()
                raise

    def end(self) -> None:
        """End it, and what it has forked."""
        self._leave()
        for process in self._left:
            process.kill()
            process.wait()
        self._left.clear()

    def _leave(self) -> None:
        """Ask it nothing more: it ends once the queries of other threads are answered."""
        if self._process is not None and self._control is not None:
            self._control.close()
            self._left.append(self._process)
        self._process = self._control = None
        self._left = [process for process in self._left if process.poll() is None]

    def _restart(self) -> socket.socket:
        self._leave()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = _start("serve", theirs)
        self._control.settimeout(STARTUP_S)
        return self._control

    def _forked(self, control: socket.socket, question: socket.socket) -> _Fork:
        ended, ends = socket.socketpair()
        with ends:
            socket.send_fds(control, [b"?"], [question.fileno(), ends.fileno()])
        told, fork, _, _ = socket.recv_fds(control, 1, 1)
        if not fork:
            ended.close()
            if told:
                raise QueryError("no process can be started for a query: too many run already")
            raise ConnectionResetError("it ended at once")
        return _Fork(fork[0], ended)


_server = _Server()
atexit.register(lambda: _server.end())
_of_parents: list[_Server] = []  # kept: a process that is nobody's is reported when it is collected


def _leave_to_parent() -> None:
    global _server
    _of_parents.append(_server)
    _server = _Server()


os.register_at_fork(after_in_child=_leave_to_parent)


def get_ready() -> None:
    """Start now what the first query would wait for, beside whatever comes before it."""
    if _FORKS:
        _server.start()


def process_for(question: socket.socket) -> Process:
    """Return a process that answers what it is asked over a socket. Raises QueryError."""
    return _server.fork(question) if _FORKS else _start("main", question)
