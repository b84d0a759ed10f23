"""`warmline simulate`: play scenes of service calls into recordings whose truth is known."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warmline.cli.options import JsonOption
from warmline.cli.terminal import messages, output

if TYPE_CHECKING:
    from warmline.simulate import Truth, Written

_EVENTS = ("interruption", "backchannel", "terminal_overlap", "dead_air", "hold", "cue", "answered")


def simulate(
    scripts: Annotated[
        list[Path],
        typer.Argument(
            help="Scene scripts (TOML); audio/README.md shows one.", metavar="SCRIPT..."
        ),
    ],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder to write the calls to.")
    ] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Play scenes of service calls into recordings, with metadata and the truth of what is in them.

    Each script gives a recording, a .json beside it (marked is_simulated) and truth/*.json. Speech
    is made by flite; nothing else is needed and nothing leaves this machine.
    """
    from warmline.simulate import render_script, write

    played: list[dict[str, Any]] = []
    for path in scripts:
        messages().print(f"playing {path}", style="dim", soft_wrap=True)
        call = render_script(path)
        played.append(_described(path, call.truth, write(call, to)))
    if as_json:
        typer.echo(json.dumps(played, indent=2))
    else:
        _print(played)


def _described(script: Path, truth: "Truth", written: "Written") -> dict[str, Any]:
    events = Counter([o.kind for o in truth.overlaps] + [s.kind for s in truth.silences])
    events["cue"] = len(truth.cues)
    events["answered"] = sum(cue.answer not in (None, "ignored", "dismissed") for cue in truth.cues)
    return {
        "call_id": truth.call_id,
        "title": truth.title,
        "script": str(script),
        "duration_s": round(truth.duration_s, 2),
        "layout": truth.layout,
        "events": {event: events[event] for event in _EVENTS},
        "audio": str(written.audio),
        "metadata": str(written.metadata),
        "truth": str(written.truth),
    }


def _print(played: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    table.add_column("call", overflow="fold")
    for heading in ("seconds", "interruptions", "backchannels", "dead air", "cues", "answered"):
        table.add_column(heading, justify="right")
    for call in played:
        counts = [
            str(call["events"][event])
            for event in ("interruption", "backchannel", "dead_air", "cue", "answered")
        ]
        table.add_row(call["call_id"], f"{call['duration_s']:.0f}", *counts)
    output().print(table)
    messages().print(f"written to {Path(played[-1]['audio']).parent}", style="dim", soft_wrap=True)
