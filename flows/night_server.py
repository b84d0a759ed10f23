"""What Prefect needs of a night's surroundings, and a server that lives as long as the night.

Import this before Prefect. As a program it is that server: `python night_server.py FD PARENT`.
"""

import gc
import logging
import os
import re
import secrets
import socket
import subprocess
import sys
from asyncio import CancelledError
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep
from urllib.parse import urlsplit

import platformdirs

from warmline.encryption import without_key
from warmline.errors import ScheduleError, one_line

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# A busy machine takes longer than 20 s to start the server.
_STARTUP_S = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
_PREFECTS_OWN = "PREFECT_SERVER_EPHEMERAL_ENABLED"
_RECORDER = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER"
# All that a server needs to know: no key, no password, nothing of a cloud.
_NEEDED = re.compile(
    r"(PREFECT_|PYTHON|XDG_|LC_|LD_|PG|COVERAGE).*"
    r"|PATH|HOME|USER|LOGNAME|LANG|TZ|TMPDIR|VIRTUAL_ENV|DO_NOT_TRACK|NO_PROXY|no_proxy"
)
#: What logs the writing of tasks' states.
_RECORDING = "prefect.server.services.task_run_recorder"
_ENDING_S = 10.0
#: The secret of a night's own server begins with it.
_OWN = "warmline:"
_ANSWER_S = 5.0


def _prepare_environment() -> None:
    """Set what Prefect reads when it is imported; what the user has set stays."""
    # It reports to nobody, and what it keeps lies with the user.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_HOME", str(platformdirs.user_state_path("warmline") / "prefect"))
    os.environ.setdefault(_STARTUP_S, "300")
    # Prefect would start a server that answers everybody on this machine, where none is named.
    os.environ.setdefault(_PREFECTS_OWN, "false")
    # One by one, as a server records the states of tasks, costs as much as a short call.
    os.environ.setdefault(f"{_RECORDER}_BATCH_SIZE", "100")
    os.environ.setdefault(f"{_RECORDER}_READ_BATCH_SIZE", "100")
    # This machine is never reached through a proxy, whatever the environment says of proxies.
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host for host in given.replace(",", " ").split() if host not in _LOOPBACK]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*hosts, *_LOOPBACK])


_prepare_environment()


@contextmanager
def prefect_api(schedules: bool = False) -> Iterator[str]:
    """Have Prefect's API at hand: that of PREFECT_API_URL, else of a server of this night's own.

    A server of its own listens on the loopback interface alone, answers nobody without a secret
    that is made for it and known to this process and its children, and ends with this process,
    also when that is killed. With `schedules` it starts scheduled runs. Raises `ScheduleError` when
    the API that is named does not answer, or the server does not start.
    """
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    if url := PREFECT_API_URL.value():
        _require_answer(url)
        yield url
        return
    secret = f"{_OWN}{secrets.token_urlsafe(32)}"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        server = _start(listening, url, secret, schedules)
    said: deque[str] = deque(maxlen=500)
    answers = Event()
    reading = Thread(target=_pass_on, args=(server, said, answers), daemon=True)
    reading.start()
    try:
        _wait_for(url, server, said, reading)
        answers.set()
        with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: secret}):
            try:
                yield url
            finally:  # also when the night failed: Prefect would say that nobody takes its logs
                if server.poll() is None:
                    _send_what_is_left()
    finally:
        _end(server)


def has_server_of_its_own() -> bool:
    """Return whether this process, or the one that started it, has a server of its own."""
    from prefect.settings import PREFECT_API_AUTH_STRING
    from pydantic import SecretStr

    secret = PREFECT_API_AUTH_STRING.value()
    text = secret.get_secret_value() if isinstance(secret, SecretStr) else str(secret)
    return text.startswith(_OWN)


def _start(
    listening: socket.socket, url: str, secret: str, schedules: bool
) -> "subprocess.Popen[str]":
    needed = {name: text for name, text in os.environ.items() if _NEEDED.fullmatch(name)}
    environment = without_key(needed) | {
        "PREFECT_SERVER_API_AUTH_STRING": secret,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url.removesuffix("/api"),  # of no other page
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT__SERVER_FINAL": "1",
    }
    environment.pop(_PREFECTS_OWN, None)
    environment |= {} if schedules else {"PREFECT__SERVER_EPHEMERAL": "1"}
    fd = listening.fileno()
    return subprocess.Popen(
        [sys.executable, __file__, str(fd), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        pass_fds=[fd],
        start_new_session=True,  # an interrupt is for the night, which ends it in order
    )


def _pass_on(server: "subprocess.Popen[str]", said: "deque[str]", answers: Event) -> None:
    """Keep what a server says while it starts, for one line about it; say the rest as it comes."""
    for line in server.stderr or ():
        if answers.is_set():
            sys.stderr.write(line)
        else:
            said.append(line.rstrip())


def _wait_for(
    url: str, server: "subprocess.Popen[str]", said: "deque[str]", reading: Thread
) -> None:
    """Wait until the server answers. Raises `ScheduleError` when it ends or takes too long."""
    import httpx

    limit_s = float(os.environ[_STARTUP_S])
    deadline = monotonic() + limit_s
    while monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=_ANSWER_S).is_success:
                return
        except httpx.HTTPError:
            sleep(0.2)
    if server.poll() is not None:
        reading.join(_ENDING_S)  # until what it said last has been read
    raise ScheduleError(
        f"Prefect's server for this night did not start: {_why(server, said, limit_s)}; it keeps "
        f"its database in {os.environ['PREFECT_HOME']} (PREFECT_HOME)"
    )


def _why(server: "subprocess.Popen[str]", said: "deque[str]", limit_s: float) -> str:
    if server.poll() is None:
        return f"no answer within {limit_s:g} s ({_STARTUP_S})"
    errors = [line for line in list(said) if re.match(r"[\w.]*(Error|Exception|Exit)\b", line)]
    return one_line(errors[-1] if errors else f"it ended with exit code {server.returncode}")


def _send_what_is_left() -> None:
    """Have Prefect send its last logs and events while there is a server to take them."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()
    EventsWorker.drain_all(timeout=_ANSWER_S)


def _end(server: "subprocess.Popen[str]") -> None:
    server.terminate()
    try:
        server.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _require_answer(url: str) -> None:
    """Ask the API that the environment names for its version, once, so that nobody waits for it."""
    import httpx
    from prefect import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    named = urlsplit(url)
    shown = named._replace(netloc=named.netloc.rpartition("@")[2]).geturl()
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(httpx_settings={"timeout": _ANSWER_S}, sync_client=True) as client,
        ):
            client.api_version()
    except httpx.HTTPStatusError as e:
        if e.response.status_code not in (401, 403):
            raise ScheduleError(
                f"{shown} (PREFECT_API_URL) answers {e.response.status_code}: is it a Prefect API?"
            ) from e
        raise ScheduleError(
            f"the Prefect server at {shown} lets nobody in without its secret: set "
            "PREFECT_API_AUTH_STRING (or PREFECT_API_KEY) to it"
        ) from e
    except (httpx.HTTPError, OSError, ValueError, RuntimeError) as e:
        raise ScheduleError(
            f"the Prefect server at {shown} (PREFECT_API_URL) does not answer "
            f"({one_line(str(e) or type(e).__name__)}); start it, or unset PREFECT_API_URL to have "
            "one for the night alone"
        ) from e


def loses_something(record: logging.LogRecord) -> bool:
    """Return false for what Prefect says of a write that its end cuts short and that it repeats.

    It calls that an error, with a traceback, at the end of a night on a busy machine.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, CancelledError) and ", 0 dropped)" in record.getMessage())


def _serve(descriptor: int, parent: int) -> None:
    """Be the server, on a socket that is open already, until `parent` ends."""
    from warmline.processes import end_with

    if os.getppid() != parent:
        return
    Thread(target=end_with, args=(parent,), daemon=True).start()
    gc.disable()  # what is imported stays: to look through it for garbage takes a fifth of its time
    import uvicorn
    from prefect.server.api.server import create_app

    gc.freeze()
    gc.enable()
    logging.getLogger(_RECORDING).addFilter(loses_something)
    config = uvicorn.Config(create_app(final=True), log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
