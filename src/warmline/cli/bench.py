"""`warmline bench`: warmline beside what a user would assemble instead, on this machine."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from warmline.errors import DataError, SettingsError
from warmline.models.catalogue import faster_whisper_name
from warmline.models.store import ModelStore
from warmline.resources import folder
from warmline.settings import Settings

_NEEDED = ("faster_whisper", "jiwer", "meeteval")


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
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns of each contender.")] = 3,
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
    beside: Annotated[
        int | None,
        typer.Option(
            "--beside",
            min=1,
            metavar="PROCESSES",
            help="Instead: a night over FOLDER beside so many busy processes, and alone.",
            show_default=False,
        ),
    ] = None,
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
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise SettingsError(
            f"the benchmark needs {', '.join(missing)}: pip install -e '.[listen,bench]'"
        )
    store = ModelStore.from_settings(Settings().places)
    store.path_of(faster_whisper_name(whisper_model))  # says what to type when it is not stored
    given = [str(calls), "--rounds", str(rounds), "--model", whisper_model]
    _run("listening.py", [*given, *(["--no-extras"] if race_only else [])], to)


def _run(script: str, given: list[str], to: Path | None) -> NoReturn:
    """Run a benchmark of the checkout, and end as it ends."""
    try:
        path = folder("benchmarks") / script
    except FileNotFoundError as e:
        raise DataError(
            "the benchmark is part of the checkout, not of the installed package: run "
            "`warmline bench` from a clone that is installed with pip install -e"
        ) from e
    command = [sys.executable, str(path), *given, *(["--to", str(to)] if to else [])]
    raise typer.Exit(subprocess.run(command, check=False).returncode)
