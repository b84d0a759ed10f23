"""`warmline validate`: the measures against labels that people gave, and the report on it."""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from platformdirs import user_cache_path

from warmline.cli.options import JsonOption, SettingsOption, settings_from
from warmline.cli.terminal import messages, output
from warmline.errors import DataError, SettingsError
from warmline.resources import folder, load_outside

_NEEDED = ("matplotlib", "jiwer", "scipy")


_PartsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Parts to run: feelings, mechanisms, support_talk, redaction, counselling, floor, "
        "steadiness, mono, drift; all by default.",
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
    seed: Annotated[int, typer.Option("--seed", help="Of scenes and intervals.")] = 1,
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
    """The package of the validation, which lies outside of this one."""
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
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
