"""`warmline forget`, `subject-access`, `key` and `encrypt`: what protects the people in calls."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmline.cli.common import (
    AllowLossOption,
    ExitCode,
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    counted,
    messages,
    output,
    settings_from,
)
from warmline.encryption import HOW_TO_GIVE, Key, current_key, new_key_file, read_key_file
from warmline.errors import EncryptionError, WarehouseError, WarmlineError
from warmline.files import Places, UnfinishedErasureError
from warmline.settings import Settings
from warmline.warehouse.landing_folder import known_places

if TYPE_CHECKING:
    from warmline.landing import Erased, Meant
    from warmline.privacy.erasing import Retained

# `warmline forget`: erase calls, so that they do not come back.

_AGE = re.compile(r"(\d+)\s*d(ays?)?")


CallOption = Annotated[
    list[str] | None,
    typer.Option(
        "--call",
        metavar="ID",
        help="A call, by the id its metadata gives, or as the warehouse names it.",
    ),
]
CustomerOption = Annotated[
    list[str] | None,
    typer.Option("--customer", metavar="ID", help="All calls and outcomes of a customer."),
]
OlderOption = Annotated[
    str | None,
    typer.Option("--older-than", metavar="400d", help="Calls that started longer ago than this."),
]
AllOfIdOption = Annotated[
    bool,
    typer.Option(
        "--all-of-that-id", help="With --call: all recordings, where several claim the id."
    ),
]
AlikeOption = Annotated[
    bool,
    typer.Option(
        "--alike", help="Also take ids that differ only in case, spaces or form of Unicode."
    ),
]
AndLaterOption = Annotated[
    bool,
    typer.Option(
        "--and-later",
        help="With --customer: analyze none of their later calls either (an opt-out).",
    ),
]
AllowLaterOption = Annotated[
    bool,
    typer.Option("--allow-later", help="With --customer: take an opt-out back, and erase nothing."),
]
RetentionOption = Annotated[
    bool,
    typer.Option(
        "--by-retention", help="Everything that `retention` in the settings says is too old."
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only count what would be erased.")]


def forget(
    call: CallOption = None,
    customer: CustomerOption = None,
    older_than: OlderOption = None,
    by_retention: RetentionOption = False,
    all_of_that_id: AllOfIdOption = False,
    alike: AlikeOption = False,
    and_later: AndLaterOption = False,
    allow_later: AllowLaterOption = False,
    dry_run: DryRunOption = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    allow_loss: AllowLossOption = False,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase calls from landing folder, warehouse, search index, reviews, scores, outcomes, reports.

    Ids are matched exactly: others that differ only in case or blanks are named, and not erased. Of
    past nightly runs, Prefect's own database keeps only when they ran and how they ended. The next
    run leaves their recordings out. A note remains that something was erased, with digests and
    counts and nothing of the calls. Recordings, metadata files and exported files are not
    warmline's to erase. Run it when no nightly run is under way.
    """
    from warmline.landing import counted as counts_of
    from warmline.landing import meant_by
    from warmline.privacy.erasing import erase_calls

    chosen = settings_from(settings)
    if not (call or customer or older_than or by_retention):
        raise typer.BadParameter(
            "say what to forget: --call, --customer, --older-than or --by-retention"
        )
    if (and_later or allow_later) and not customer:
        raise typer.BadParameter("--and-later and --allow-later go with --customer")
    if by_retention and (call or customer or older_than):
        raise typer.BadParameter("--by-retention goes alone: the settings say which calls")
    if older_than and (call or customer):
        raise typer.BadParameter(
            "--older-than goes alone: it takes the old calls of everybody, not those of one "
            "customer; give two commands for both"
        )
    if as_json and not (yes or dry_run or allow_later):
        raise typer.BadParameter("--json cannot ask before it erases: add --yes, or --dry-run")
    before = _before(older_than, datetime.now(UTC))
    places, was_unfinished = _places(chosen, landing, warehouse, allow_loss)
    if allow_later:
        _allow_later(places.landing, customer or (), as_json)
        return
    if by_retention:
        _retain(places, chosen, allow_loss, dry_run=dry_run, asks=not yes, as_json=as_json)
        return
    meant = meant_by(
        places.landing, call or (), customer or (), all_of_an_id=all_of_that_id, alike=alike
    )
    _require_clear(meant, is_done=was_unfinished or and_later)
    wanted = replace(meant.selection, before=before)
    if and_later:
        wanted = replace(wanted, customers=wanted.customers | frozenset(customer or ()))
    found = counts_of(places.landing, wanted)
    if dry_run:
        output().print(json.dumps(_counts(found)) if as_json else f"would erase: {_said(found)}")
        return
    if not yes:
        typer.confirm(f"Found: {_said(found)}. Erase them for good?", abort=True)
    with messages().status("erasing, and rebuilding the warehouse without them"):
        erased = erase_calls(places, wanted, chosen, and_later=and_later, allow_loss=allow_loss)
    _tell(erased, as_json)
    raise typer.Exit(ExitCode.ERROR if erased.unreadable else ExitCode.DONE)


def _places(
    settings: Settings, landing: Path | None, warehouse: Path | None, allow_loss: bool
) -> tuple[Places, bool]:
    """Return the places, and whether an interrupted erasure there has just been finished."""
    from warmline.privacy.erasing import finish_erasing

    try:
        return known_places(settings, landing, warehouse, allow_loss=allow_loss), False
    except UnfinishedErasureError as e:
        return e.places, finish_erasing(e.places, settings, allow_loss=allow_loss)


def _retain(
    places: Places,
    settings: Settings,
    allow_loss: bool,
    *,
    dry_run: bool,
    asks: bool,
    as_json: bool,
) -> None:
    """Apply [retention] now, as the nightly run does."""
    from warmline.privacy.erasing import apply_retention, due

    limits = settings.retention
    if not (limits.calls_days or limits.words_days):
        raise WarmlineError(
            "--by-retention: nothing is too old; set retention.calls_days or retention.words_days"
        )
    found = due(places.landing, limits, datetime.now(UTC))
    said = f"to erase: {_amount(found)}."
    if not dry_run:
        if asks:
            typer.confirm(f"{said} Do it for good?", abort=True)
        with messages().status("erasing, and rebuilding the warehouse without them"):
            now = datetime.now(UTC)
            found = apply_retention(places, settings, now, allow_loss=allow_loss)
        said = f"erased: {_amount(found)}"
    output().print(json.dumps(asdict(found)) if as_json else said)


def _amount(found: "Retained") -> str:
    return f"{counted(found.calls, 'call')}, and the words of {counted(found.words, 'call')}"


def _require_clear(meant: "Meant", *, is_done: bool) -> None:
    """Report ids that resemble those given; refuse ids that match nothing or several recordings.

    With `is_done` an id that matches nothing is no mistake: it may just have been erased.
    """
    from rich.markup import escape

    for claim, calls in meant.ambiguous.items():
        listed = ", ".join(f"{name} ({path})" for name, path in calls)
        raise WarmlineError(
            f"--call {claim}: {len(calls)} recordings claim this id, and nothing was erased: "
            f"{listed}; name one of these, or give --all-of-that-id"
        )
    alike = {
        label: ", ".join(repr(other) for other in others) for label, others in meant.near.items()
    }
    missing = [label for label in meant.nothing if not (is_done and label not in alike)]
    if missing:
        told = [
            f"{label}: nothing is stored about it"
            + (f", but of {alike[label]}: name that, or give --alike" if label in alike else "")
            for label in missing
        ]
        raise WarmlineError(f"{'; '.join(told)}; nothing was erased")
    for label, others in alike.items():
        messages().print(
            f"[yellow]note:[/] {escape(label)} is not {escape(others)}, which stays; if you "
            "mean that one too, name it as well",
            soft_wrap=True,
        )


def _allow_later(folder: Path, customers: Sequence[str], as_json: bool) -> None:
    from warmline.landing import opt_in

    count = opt_in(folder, customers)
    if not count:
        raise WarmlineError(f"{', '.join(customers)}: not among the customers who opted out")
    said = f"opt-outs taken back: {count}; later calls are analyzed again"
    output().print(json.dumps({"opted_in": count}) if as_json else said)


def _tell(erased: "Erased", as_json: bool) -> None:
    for name, why in erased.unreadable.items():
        messages().print(
            f"note: landing file {name} cannot be looked into: {why}", markup=False, soft_wrap=True
        )
    if as_json:
        typer.echo(json.dumps(asdict(erased), indent=2))
        return
    output().print(
        f"erased: {_said(erased)}; delete the recordings themselves yourself",
        soft_wrap=True,
    )


def _counts(erased: "Erased") -> dict[str, int]:
    return {
        "analyses": erased.calls,
        "outcomes": erased.outcomes,
        "reviews": erased.reviews,
        "evaluations": erased.evaluations,
    }


def _said(erased: "Erased") -> str:
    return ", ".join(
        (
            counted(erased.calls, "analysis"),
            counted(erased.outcomes, "outcome"),
            counted(erased.reviews, "review"),
            counted(erased.evaluations, "evaluation"),
        )
    )


def _before(age: str | None, now: datetime) -> datetime | None:
    if age is None:
        return None
    match = _AGE.fullmatch(age.strip())
    if match is None:
        raise typer.BadParameter(f"--older-than {age!r}: not a number of days such as 400d")
    try:
        return now - timedelta(days=int(match[1]))
    except OverflowError as e:
        raise typer.BadParameter(f"--older-than {age!r}: before the first year there is") from e


# `warmline subject-access`: all that is stored about a customer, as files for a person who asks.


def subject_access(
    customer: Annotated[
        list[str],
        typer.Option("--customer", metavar="ID", help="The customer's id, as it is kept."),
    ],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder for the two files.")
    ] = Path("subject-access"),
    alike: Annotated[
        bool,
        typer.Option(
            "--alike", help="Also take ids that differ only in case, spaces or form of Unicode."
        ),
    ] = False,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Write all that is stored about a customer: calls, words, measures, reviews, outcomes.

    `customer.json` has everything, `customer.txt` is a page to read; both readable by you alone.
    Recordings are not copied: each call says where its recording is. Names and words of agents are
    included, as they are in the calls.
    """
    from warmline.landing import meant_by
    from warmline.privacy.subject_access import collect, write

    places = known_places(settings_from(settings), landing, warehouse)
    meant = meant_by(places.landing, (), customer, alike=alike)
    for label in meant.nothing:
        others = ", ".join(map(repr, meant.near.get(label, ())))
        hint = f", but of {others}: name that, or give --alike" if others else ""
        raise WarmlineError(f"{label}: nothing is stored about it{hint}")
    for label, alike_ids in meant.near.items():
        messages().print(
            f"note: {label} is not {', '.join(map(repr, alike_ids))}, which is left out; --alike "
            "takes it in",
            markup=False,
            soft_wrap=True,
        )
    access = collect(places, sorted(meant.selection.customers))
    files = write(access, to)
    output().print(
        f"{len(access.analyses)} recordings, {len(access.outcomes)} outcomes, "
        f"{len(access.reviews)} reviews, {len(access.evaluations)} evaluations: "
        f"{files[0]}, {files[1]}",
        markup=False,
        soft_wrap=True,
    )


# `warmline key` and `warmline encrypt`: files that nobody reads without a key.


keys = typer.Typer(help="Make keys, and pseudonyms with them.", no_args_is_help=True)


@keys.callback()
def _keys() -> None:
    """Make keys, and pseudonyms with them."""


@keys.command("new")
def new_key(
    file: Annotated[
        Path, typer.Argument(help="The file to write; an existing one is never replaced.")
    ],
) -> None:
    """Make a key of 32 random bytes, in a file that you alone may read.

    Keep a copy of it in a safe place: without the key, what is encrypted with it is lost.
    """
    new_key_file(file)
    typer.echo(f"{file}: name it as encryption.key_file in the settings, and keep a copy safe")


@keys.command("agent")
def agent_pseudonym(
    names: Annotated[list[str], typer.Argument(help="Agents as the metadata names them.")],
    settings: SettingsOption = None,
) -> None:
    """Print the pseudonyms of agents: who has the key can find whose a row is.

    The key is the one that recordings.pseudonym_key_file or pseudonym_key_env of the settings name.
    """
    from warmline.recordings.metadata import pseudonym, pseudonym_key

    key = pseudonym_key(settings_from(settings).recordings)
    if key is None:
        raise EncryptionError("no key of pseudonyms: set recordings.pseudonym_key_file")
    for name in names:
        output().print(f"{pseudonym(name, key)}  {name}", markup=False, soft_wrap=True)


def encrypt(
    old_key_file: Annotated[
        Path | None,
        typer.Option(
            "--old-key-file", help="The old key, to change to another one.", show_default=False
        ),
    ] = None,
    decrypt: Annotated[bool, typer.Option("--decrypt", help="Decrypt everything again.")] = False,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encrypt the existing landing folder and warehouse with the key that is set.

    Run the command again to complete an interrupted change. Run it when no nightly run is under
    way. Recordings, metadata, exported files and backups are not touched.
    """
    from warmline.warehouse.swap import change_key

    chosen = settings_from(settings)
    key = current_key()
    if key is None:
        raise EncryptionError(f"there is no key; {HOW_TO_GIVE}; `warmline key new FILE` makes one")
    if decrypt and old_key_file:
        raise typer.BadParameter("--decrypt takes the key that is given, and no --old-key-file")
    old = read_key_file(old_key_file) if old_key_file else None
    before, after = (key, None) if decrypt else (old, key)
    places = known_places(chosen, landing, warehouse, keys=(before, after))
    changed = change_key(places.landing, places.warehouse, before, after)
    _change_key_of_additions(places.warehouse, before, after)
    if as_json:
        typer.echo(json.dumps(asdict(changed)))
        return
    done = "decrypted: take the key out of the settings" if decrypt else "encrypted"
    rest = "and the warehouse" if changed.warehouse else "the warehouse needed nothing"
    output().print(f"{changed.files} landing files written anew, {rest}; {done}", soft_wrap=True)


def _change_key_of_additions(warehouse: Path, before: Key | None, after: Key | None) -> None:
    """Change the key of what people wrote on the pages. Raises WarehouseError if that fails."""
    if not warehouse.resolve().with_suffix(".web.sqlite").is_file():
        return
    try:
        from warmline.web.store import change_key
    except ModuleNotFoundError as e:
        raise WarehouseError(
            f"rewriting what people wrote on the pages needs {e.name}: "
            "pip install 'warmline[web]', and run the same command again"
        ) from e
    change_key(warehouse, before, after)
