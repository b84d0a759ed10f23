"""One call as a task: what travels to the machine that analyzes it.

A worker of a cluster is given this file and needs nothing else of this folder.
"""

import os
from collections.abc import Callable

os.environ.setdefault("DO_NOT_TRACK", "1")

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from warmline.pipeline.calls import Outcome
from warmline.pipeline.plan import PlannedCall

#: Analyzes a call, wherever it is sent.
Analyzer = Callable[[PlannedCall], Outcome]


class PassingFaultError(Exception):
    """A call failed by a fault that may be gone at the next try."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)  # of which it is made anew when it comes from another process
        self.outcome = outcome

    def __str__(self) -> str:
        return f"{self.outcome.call_id}: {self.outcome.reason}"


def _call_name() -> str:
    given = task_run.parameters
    again = f" (attempt {given['attempt'] + 1})" if given["attempt"] else ""
    return f"analyze {given['call'].path.rpartition('/')[2]}{again}"


@task(cache_policy=NO_CACHE, task_run_name=_call_name)
def analyze_call(analyze: Analyzer, call: PlannedCall, attempt: int) -> Outcome:  # noqa: ARG001
    """Analyze one call in a process of its own, which is ended when it takes too long.

    `attempt` 0 is the first. Raises `PassingFaultError` for a fault that another one may not meet.
    """
    outcome = analyze(call)
    place = "/".join(outcome.path.split("/")[-2:])  # two folders may have a file of one name
    said = (outcome.call_id, place, outcome.status, outcome.reason or "")
    get_run_logger().info("%s (%s): %s %s", *said)
    if outcome.may_pass:
        raise PassingFaultError(outcome)
    return outcome


@flow(name="analyze-calls")
def known_by_name() -> None:
    """The flow, where its code is not: what a worker knows of the run that its calls are of."""
