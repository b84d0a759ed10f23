"""The table after an analysis: one row a call, the headline measures side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from warmline.cli.render_parts import clock
from warmline.cli.terminal import output
from warmline.database import open_for_reading

_ROWS = """
SELECT call_id, status, reason, duration_s, speaker_source, role_confidence, agent_talk_share,
    customer_talk_share, dead_air_s, agent_interruptions, customer_interruptions,
    agent_latency_median_s, opportunities, answered, answered_rate, path
FROM call_summary
WHERE path IN (SELECT unnest($paths))
ORDER BY status <> 'analyzed', call_id
"""
_STYLES = {"analyzed": "green", "failed": "red"}


def summary_rows(warehouse: Path, paths: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of `call_summary` for the recordings at these paths."""
    with open_for_reading(warehouse) as con:
        result = con.execute(_ROWS, {"paths": list(paths)})
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def print_summary(rows: Sequence[dict[str, Any]]) -> None:
    """Analyzed calls as a table, the others below it with their reasons."""
    from rich.table import Table

    analyzed = [row for row in rows if row["status"] == "analyzed"]
    if analyzed:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column("call", overflow="ellipsis", no_wrap=True, max_width=22)
        for heading in ("length", "talk a:c", "interrupts", "dead air", "answered", "sure"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in analyzed:
            table.add_row(*_cells(row))
        output().print(table)
        output().print(
            "a:c = agent : customer (talk in %, interruptions); answered = cues of the customer's "
            "feelings;\nsure = confidence in who is agent and who is customer.",
            style="dim",
        )
    for row in rows:
        if row["status"] != "analyzed":
            style = _STYLES.get(row["status"], "yellow")
            name = Path(row["path"]).name
            output().print(
                f"[{style}]{row['status']:<9}[/] {escape(row['reason'] or name)}", soft_wrap=True
            )


def _cells(row: dict[str, Any]) -> list[str]:
    sure = row["role_confidence"]
    return [
        escape(row["call_id"]),
        clock(row["duration_s"]),
        _pair(row["agent_talk_share"], row["customer_talk_share"], 100),
        _pair(row["agent_interruptions"], row["customer_interruptions"], 1),
        "-" if row["dead_air_s"] is None else f"{row['dead_air_s']:.1f} s",
        _of(row["answered"], row["opportunities"]),
        "no roles" if sure is None else f"{sure:.2f}",
    ]


def _pair(agent: float | None, customer: float | None, scale: int) -> str:
    if agent is None and customer is None:
        return "-"
    return ":".join("-" if v is None else f"{v * scale:.0f}" for v in (agent, customer))


def _of(answered: float | None, opportunities: float | None) -> str:
    if opportunities is None:
        return "-"
    return (
        f"{opportunities:.0f} cues"
        if answered is None
        else f"{answered:.0f} of {opportunities:.0f}"
    )
