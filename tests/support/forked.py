"""Code in a process of its own that need not import everything anew, and may kill itself."""

import os
import signal
import traceback
from collections.abc import Callable
from typing import Any, NoReturn


def die(*_: object, **__: object) -> NoReturn:
    """End this process at once, as the kernel does when memory is out."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process goes on")


def die_at(place: Any, name: str, call: int = 1) -> None:
    """Let this process be killed when the function of this name is called for the nth time."""
    original, left = getattr(place, name), call

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        return die() if left == 0 else original(*given, **more)

    setattr(place, name, counted)


def begun(function: Callable[[], object]) -> int:
    """Run this in a fork of this process, which goes on meanwhile; return the fork's id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else int(e.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def ended(function: Callable[[], object]) -> int:
    """Run this in a fork of this process; return its exit code, or minus the signal it died of."""
    return os.waitstatus_to_exitcode(os.waitpid(begun(function), 0)[1])
