"""The table after an analysis: one row a call, the headline measures side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from warmline.cli.render_parts import clock, count_text, share_text
from warmline.cli.terminal import output
from warmline.warehouse.database import open_for_reading

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
        table.add_column("call", overflow="ellipsis", no_wrap=True, max_width=24)
        for heading in (
            "length",
            "talk\nagent",
            "\ncust.",
            "interrupts\nagent",
            "\ncust.",
            "dead\nair s",
            "cues\nansw.",
            "roles\nsure",
        ):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in analyzed:
            table.add_row(*_cells(row))
        output().print(table)
    for row in rows:
        if row["status"] != "analyzed":
            style = _STYLES.get(row["status"], "yellow")
            name = Path(row["path"]).name
            output().print(
                f"[{style}]{row['status']:<9}[/] {escape(row['reason'] or name)}", soft_wrap=True
            )


def _cells(row: dict[str, Any]) -> list[str]:
    cues = "-"
    if row["opportunities"] is not None:
        cues = f"{count_text(row['answered'])} of {count_text(row['opportunities'])}"
    sure = row["role_confidence"]
    return [
        escape(row["call_id"]),
        clock(row["duration_s"]),
        share_text(row["agent_talk_share"]),
        share_text(row["customer_talk_share"]),
        count_text(row["agent_interruptions"]),
        count_text(row["customer_interruptions"]),
        "-" if row["dead_air_s"] is None else f"{row['dead_air_s']:.1f}",
        cues,
        "unknown" if sure is None else f"{sure:.2f}",
    ]
