"""`warmline bench`, `validate` and `simulate`: measure speed, try measures, make up calls."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from platformdirs import user_cache_path

from warmline.cli.common import (
    JsonOption,
    SettingsOption,
    messages,
    output,
    print_rows,
    settings_from,
)
from warmline.errors import DataError, SettingsError
from warmline.files import folder, load_outside
from warmline.models import ModelStore
from warmline.models.catalogue import faster_whisper_name
from warmline.settings import Settings

if TYPE_CHECKING:
    from warmline.simulate import Truth, Written

_BENCH_NEEDS = ("faster_whisper", "jiwer", "meeteval")

BesideOption = Annotated[
    int | None,
    typer.Option(
        "--beside",
        min=1,
        metavar="PROCESSES",
        help="Instead: a night over FOLDER beside this many busy processes, and alone.",
        show_default=False,
    ),
]


def bench(
    calls: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of two-channel calls (left caller, right agent), each with its human "
            "transcript beside it as .json.",
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Markdown file to write as well.", metavar="FILE")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds for each contender.")] = 3,
    whisper_model: Annotated[
        str, typer.Option("--whisper-model", help="For all contenders: base or tiny.en.")
    ] = "base",
    race_only: Annotated[bool, typer.Option("--race-only", help="No simulated calls.")] = False,
    growth: Annotated[
        bool,
        typer.Option(
            "--growth",
            help="Instead: time and memory of warmline alone on calls of 1 to 180 minutes and on "
            "4 to 48 calls.",
        ),
    ] = False,
    beside: BesideOption = None,
    nights: Annotated[
        int | None,
        typer.Option(
            "--nights",
            min=100,
            metavar="CALLS",
            help="Instead: what the night costs besides its calls, on so many short ones that are "
            "made for it (1000: some minutes). Needs no FOLDER.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Time and score warmline, openai-whisper with pyannote, and a WhisperX-like recipe.

    All hear the same calls in the same run and take turns; let nothing else run meanwhile.
    Needs a checkout and the extra `bench` (with --nights: `night`); takes about an hour, and
    --growth another.
    """
    if nights:
        _run("orchestration.py", ["--calls", str(nights)], to)
    if calls is None:
        raise typer.BadParameter("name a FOLDER of calls, or --nights CALLS")
    if beside:
        given = [str(calls), "--busy", str(beside), "--rounds", str(min(rounds, 2))]
        _run("beside_others.py", [*given, "--model", whisper_model], to)
    if growth:
        _run("growth.py", [str(calls), "--model", whisper_model], to)
    if missing := [name for name in _BENCH_NEEDS if importlib.util.find_spec(name) is None]:
        raise SettingsError(
            f"the benchmark needs {', '.join(missing)}: pip install -e '.[listen,bench]'"
        )
    store = ModelStore.from_settings(Settings().places)
    store.path_of(faster_whisper_name(whisper_model))  # says what to type when it is not stored
    given = [str(calls), "--rounds", str(rounds), "--model", whisper_model]
    _run("listening.py", [*given, *(["--no-extras"] if race_only else [])], to)


def _run(script: str, given: list[str], to: Path | None) -> NoReturn:
    """Run a benchmark of the checkout, and exit with its exit code."""
    try:
        path = folder("benchmarks") / script
    except FileNotFoundError as e:
        raise DataError(
            "the benchmark is part of the checkout, not of the installed package: run "
            "`warmline bench` from a clone that is installed with pip install -e"
        ) from e
    command = [sys.executable, str(path), *given, *(["--to", str(to)] if to else [])]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


# `warmline validate`: the measures against labels that people gave, and the report on it.


_VALIDATE_NEEDS = ("matplotlib", "jiwer", "scipy")


_PartsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Parts to run: service, feelings, mechanisms, support_talk, calls, redaction, "
        "counselling, floor, steadiness, mono, people, drift; all by default.",
        metavar="[PART]...",
        show_default=False,
    ),
]
_DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of the labelled data; by default shared/data beside the checkout.",
        show_default=False,
    ),
]
_ToOption = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="DIR",
        help="Folder for REPORT.md and its figures; by default the checkout's validation/.",
        show_default=False,
    ),
]
_WorkOption = Annotated[
    Path | None,
    typer.Option(
        "--work",
        metavar="DIR",
        help="Folder for what was played and heard, so that it is not heard again.",
        show_default=False,
    ),
]


def validate(
    parts: _PartsArgument = None,
    *,
    data: _DataOption = None,
    to: _ToOption = None,
    work: _WorkOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of scenes and intervals.")] = 1,
    rounds: Annotated[
        int, typer.Option("--rounds", min=10, help="Draws of each bootstrap.")
    ] = 1000,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try every measure on labels that nobody here wrote, and write the report with its figures.

    Needs a checkout, the labelled data, and the extras `listen` and `validate`. A part whose data,
    models or speech synthesizer are missing is left out, and the report says so.
    """
    validation = _validation()
    chosen = tuple(parts or validation.PARTS)
    if unknown := [part for part in chosen if part not in validation.PARTS]:
        known = ", ".join(validation.PARTS)
        raise typer.BadParameter(f"no part is called {', '.join(unknown)}; there are: {known}")
    root = folder("validation").parent
    place = data or root.parent / "shared" / "data"
    if not place.is_dir():
        raise DataError(f"{place}: the labelled data are not there; name their folder: --data DIR")
    context = validation.Context(
        data=place,
        work=work or user_cache_path("warmline") / "validation",
        settings=settings_from(settings),
        seed=seed,
        rounds=rounds,
        say=lambda text: messages().print(text, style="dim", soft_wrap=True),
    )
    report, headlines = validation.validate(context, chosen, to or root / "validation")
    if as_json:
        _print_json(report, headlines)
        return
    for headline in headlines:
        said = f"{headline.measure} ({headline.data}): {headline.estimate}  {headline.verdict}"
        output().print(said, soft_wrap=True)
    messages().print(f"written to {report}", style="dim", soft_wrap=True)


def _print_json(report: Path, headlines: Sequence[Any]) -> None:
    found = [asdict(headline) for headline in headlines]
    typer.echo(json.dumps({"report": str(report), "headlines": found}, indent=2))


def _validation() -> ModuleType:
    """Return the validation package, which lies outside this one."""
    if missing := [name for name in _VALIDATE_NEEDS if importlib.util.find_spec(name) is None]:
        raise SettingsError(
            f"validation needs {', '.join(missing)}: pip install -e '.[listen,validate]'"
        )
    try:
        path = folder("validation") / "__init__.py"
    except FileNotFoundError as e:
        raise DataError(
            "validation is part of the checkout, not of the installed package: run "
            "`warmline validate` from a clone that is installed with pip install -e"
        ) from e
    return load_outside("warmline_validation", path)


# `warmline simulate`: render scenes of service calls as recordings with known ground truth.


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
    voices: Annotated[
        bool,
        typer.Option(
            "--voices",
            help="Each script once for every voice of its customer, to hear whether all are heard "
            "alike (`warmline research fairness --by customer_voice`).",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Render scenes of service calls as recordings, with metadata and their ground truth.

    Each script gives a recording, a .json beside it (marked is_simulated) and truth/*.json. Speech
    is made by flite; nothing else is needed and nothing leaves this machine.
    """
    from warmline.simulate import render_in_voices, render_script, write

    played: list[dict[str, Any]] = []
    for path in scripts:
        messages().print(f"playing {path}", style="dim", soft_wrap=True)
        rendered = render_in_voices(path) if voices else (render_script(path),)
        played += [_described(path, call.truth, write(call, to)) for call in rendered]
    if as_json:
        typer.echo(json.dumps(played, indent=2))
    else:
        _print(played)


def _described(script: Path, truth: "Truth", written: "Written") -> dict[str, Any]:
    events = Counter([o.kind for o in truth.overlaps] + [s.kind for s in truth.silences])
    events["cue"] = len(truth.cues)
    events["answered"] = sum(
        cue.answer not in (None, "ignored", "dismissed", "minimal_acknowledgement")
        for cue in truth.cues
    )
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
    print_rows(table)
    messages().print(f"written to {Path(played[-1]['audio']).parent}", style="dim", soft_wrap=True)
