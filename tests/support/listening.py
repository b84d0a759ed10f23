"""The process that has imported what listens, for all commands of one server (`commands.py`).

Each command would start one of its own, which imports for three seconds, and fork from it whatever
analyzes calls. A fork gets its environment and its folder from the run it belongs to, as always;
here also where it prints.
"""

import os
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from typing import Any


class SharedForkServer(forkserver.ForkServer):
    """A fork server that was started by the parent of the processes that use it."""

    def start(self) -> None:
        """Start it, with nothing imported yet: whoever asks it for a fork waits for that."""
        self.set_forkserver_preload(["warmline.preloaded", __name__])
        super().ensure_running()
        forkserver._forkserver = self
        forkserver.ensure_running = self.ensure_running
        forkserver.connect_to_new_process = self.connect_to_new_process

    def ensure_running(self) -> None:
        """Ask nothing: only its parent may wait for it."""

    def connect_to_new_process(self, fds: list[int]) -> tuple[int, int]:
        """Start a fork that prints where this process prints."""
        return super().connect_to_new_process([*fds, 1, 2])


_serve_one: Callable[..., int] = forkserver._serve_one


def _print_there(
    child_r: int, fds: list[int], unused_fds: list[int], handlers: Mapping[int, Any]
) -> int:
    *fds, out, err = fds
    for stream, number in ((out, 1), (err, 2)):
        os.dup2(stream, number)
        os.close(stream)
    return _serve_one(child_r, fds, unused_fds, handlers)


forkserver._serve_one = _print_there  # called in the fork server alone
