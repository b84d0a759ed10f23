"""`warmline review`, `annotate` and `agreement`: what people who listened say of the results."""

import csv
import getpass
import io
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmline.cli.common import (
    JsonOption,
    LandingOption,
    Party,
    SettingsOption,
    WarehouseOption,
    ZoneOption,
    as_typed,
    counted,
    messages,
    note_access,
    output,
    print_rows,
    say_json,
    settings_from,
    zone_of,
)
from warmline.database import open_for_reading
from warmline.errors import DataError, QueryError
from warmline.files import places_of, safe_cell, write_text_whole
from warmline.query.calls import find_call, find_calls
from warmline.query.reviews import (
    Judgement,
    Verdict,
    all_reviews,
    review_cue,
    review_metric,
)
from warmline.warehouse.landing_folder import known_places

if TYPE_CHECKING:
    from warmline.annotation.agreement import Agreement
    from warmline.landing.feedback import Review
    from warmline.statistics import Estimate


app = typer.Typer(
    help="Say where the machine is right or wrong, and why; reviews outlive every rebuilding.",
    no_args_is_help=True,
)

_CLOCK = re.compile(r"(?:(?P<h>\d+):(?=\d+:))?(?:(?P<m>\d+):)?(?P<s>\d+(?:\.\d+)?)")


@app.command()
def mark(
    call_id: Annotated[str, typer.Argument(help="The call, as in the warehouse.")],
    verdict: Annotated[Verdict, typer.Argument(help="What you say of it.")],
    cue: Annotated[
        str | None,
        typer.Option(
            "--cue", metavar="TIME", help="The row of the ledger whose cue begins at: 0:11 or 11.2."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="A measure, by its name.")
    ] = None,
    role: Annotated[
        Party | None, typer.Option("--role", help="Whose measure; none for one of the call.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why; needed for wrong.", show_default=False)
    ] = None,
    should_be: Annotated[
        str | None,
        typer.Option(
            "--should-be",
            help="What is true; needed for wrong. An answer (ignored ... cognitive; no_answer "
            "where no agent spoke any more, which takes it out of the rate), another feeling "
            "(fear_anxiety ...), no_cue, a value, or cannot_be_known of a measure.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Your name; by default the user's.")
    ] = None,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Mark a row of the ledger or a measure as right or wrong, or withdraw what you said of it.

    It counts at once, beside the machine's result: see `warmline show`, `warmline query disputes`
    and `review_agreement`. Your last verdict on a row counts.
    """
    if (cue is None) == (metric is None):
        raise typer.BadParameter("say which: --cue TIME, or --metric NAME")
    given = (as_typed(text) if text else None for text in (reason, should_be))
    judgement = Judgement(as_typed(by or _own_name()), verdict, *given)
    at = known_places(settings_from(settings), landing, warehouse)
    if cue is not None:
        review = review_cue(at.warehouse, at.landing, call_id, _seconds(cue), judgement)
    else:
        review = review_metric(
            at.warehouse, at.landing, call_id, metric or "", role.value if role else None, judgement
        )
    typer.echo(_sentence(review))


def _own_name() -> str:
    """Return the user's name; empty where the system has none, as in some containers."""
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return ""


@app.command("list")
def list_reviews(
    call: Annotated[
        str | None, typer.Option("--call", help="Only of this call.", show_default=False)
    ] = None,
    verdict: Annotated[
        Verdict | None, typer.Option("--verdict", help="Only those that say so.")
    ] = None,
    timezone: ZoneOption = None,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the reviews, oldest first, also those that have not been published yet."""
    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    places = known_places(chosen, landing, warehouse)
    key = _landing_key(places.warehouse, call) if call else None
    reviews = [
        review
        for review in all_reviews(places.landing)
        if (call is None or review.landing_key == key or (not key and review.given_call_id == call))
        and verdict in (None, review.verdict)
    ]
    if as_json:
        found = [asdict(review) for review in reviews]
        say_json(found)
        return
    for review in reviews:
        output().print(
            f"{zone.minute(review.reviewed_at)} {_sentence(review)}", markup=False, soft_wrap=True
        )
    if not reviews:
        messages().print("no reviews", style="yellow")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Write all reviews to a CSV file that is safe to open in a spreadsheet."""
    folder = known_places(settings_from(settings), landing, warehouse).landing
    from warmline.landing.feedback import Review

    reviews = [asdict(review) for review in all_reviews(folder)]
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(field.name for field in fields(Review))
    writer.writerows([safe_cell(value) for value in row.values()] for row in reviews)
    write_text_whole(file, page.getvalue(), QueryError, "the reviews")
    typer.echo(f"{counted(len(reviews), 'review')} in {file}")


def _landing_key(warehouse: Path, call: str) -> str | None:
    """Return the key of the recording that is meant; None if the warehouse no longer has the call.

    Raises QueryError with their names when more than one call is called that.
    """
    with open_for_reading(warehouse) as con:
        return find_call(con, call).landing_key if find_calls(con, call) else None


def _seconds(text: str) -> float:
    found = _CLOCK.fullmatch(text)
    if not found:
        raise QueryError(f"--cue {text}: write the time as 0:11, 1:02:03 or 11.2 (seconds)")
    hours, minutes, seconds = (float(found[part] or 0) for part in "hms")
    return hours * 3600 + minutes * 60 + seconds


def _sentence(review: "Review") -> str:
    """Return the review on one line, without anything that was said in the call."""
    where = (
        f"cue {review.name} at {review.start_s:.1f} s" if review.subject == "cue" else review.name
    )
    of = f" of the {review.role}" if review.role else ""
    if review.verdict == Verdict.WITHDRAWN:
        why = f": {review.reason}" if review.reason else ""
        return f"{review.given_call_id}, {where}{of}: verdict withdrawn ({review.reviewer}){why}"
    said = "no value" if review.machine_said is None else review.machine_said
    instead = f", should be {review.should_be}" if review.should_be else ""
    why = f": {review.reason}" if review.reason else ""
    return (
        f"{review.given_call_id}, {where}{of}: {said} is {review.verdict}{instead} "
        f"({review.reviewer}){why}"
    )


# `warmline annotate` and `agreement`: a centre labels its own calls, and compares.

_QUESTIONS = {"cue": "a feeling", "feeling": "which", "answered": "answered"}


class Stratum(StrEnum):
    """Fields that turns may be spread over."""

    QUEUE = "queue"
    TEAM = "team"
    AGENT = "agent_id"
    CALL = "call_id"


PlaceOption = Annotated[
    bool,
    typer.Option(
        "--show-place",
        help="Show the recording and the time, to listen to it; they may say whose call it is.",
    ),
]
AnswersOption = Annotated[
    Path | None,
    typer.Option(
        help="Second pass: the feelings that somebody labelled; what is written holds the "
        "answers to them. Named NAME.answers.csv it is read together with NAME.csv.",
        show_default=False,
    ),
]


def annotate(
    to: Annotated[
        Path,
        typer.Argument(help="The sheet to write, .csv or .json; its key is written beside it."),
    ],
    flagged: Annotated[
        int, typer.Option("--flagged", min=0, help="Turns in which the ledger has a cue.")
    ] = 60,
    unflagged: Annotated[
        int, typer.Option("--unflagged", min=0, help="Turns in which it has none.")
    ] = 60,
    by: Annotated[
        Stratum | None,
        typer.Option("--by", help="Spread the turns over these, besides kinds of feeling."),
    ] = None,
    min_words: Annotated[
        int, typer.Option("--min-words", min=1, help="Shorter unflagged turns are not drawn.")
    ] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other turns.")] = 1,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Draw from simulated calls instead of real ones.")
    ] = False,
    show_machine: Annotated[
        bool,
        typer.Option(
            "--show-machine", help="Show what the ledger says; who has read it, shares it."
        ),
    ] = False,
    show_place: PlaceOption = False,
    answers_of: AnswersOption = None,
    key: Annotated[
        Path | None,
        typer.Option(help="With --answers-of: the key of the sheet.", show_default=False),
    ] = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Draw customers' turns for people to label: rows of the ledger, and turns without a cue.

    First the feeling, on a sheet that shows no answer; then (--answers-of) the answers to the
    feelings that were seen. docs/annotation.md says how to label. The sheet holds what was said:
    keep it as you keep calls.
    """
    from warmline.annotation import Wanted, draw, write_sheet

    if (answers_of is None) != (key is None):
        raise typer.BadParameter("--answers-of and --key go together")
    at = places_of(settings_from(settings), None, warehouse).warehouse
    if answers_of is not None and key is not None:
        _write_answers(at, answers_of, key, to, show_machine, show_place)
        return
    chosen = by.value if by else None
    items = draw(at, Wanted(flagged, unflagged, chosen, min_words, simulated, seed))
    note_access(at, "annotate", calls={item.call_id for item in items}, rows=len(items))
    key = write_sheet(items, to, show_machine=show_machine, show_place=show_place)
    with_cue = sum(bool(item.kinds) for item in items)
    calls = len({item.call_id for item in items})
    output().print(
        f"{len(items)} turns of {calls} calls, {with_cue} of them flagged: {to}", soft_wrap=True
    )
    messages().print(f"keep {key} from the annotators", style="dim", soft_wrap=True)


def _write_answers(
    warehouse: Path, first: Path, key: Path, to: Path, show_machine: bool, show_place: bool
) -> None:
    from warmline.annotation import find_answered, read_key, read_sheet, write_answer_sheet

    known = read_key(key)
    labels = read_sheet(first, known)
    items = find_answered(warehouse, labels, known)
    note_access(warehouse, "annotate", calls={i.call_id for i in items}, rows=len(items))
    write_answer_sheet(items, labels, to, show_machine=show_machine, show_place=show_place)
    output().print(f"{len(items)} turns with a feeling, and what followed: {to}", soft_wrap=True)


def agreement(
    sheets: Annotated[
        list[Path],
        typer.Argument(help="Filled-in sheets, one an annotator.", metavar="SHEET..."),
    ],
    key: Annotated[
        Path, typer.Option("--key", help="The key that was written beside the empty sheet.")
    ],
    disputes: Annotated[
        Path | None,
        typer.Option(help="Write the turns on which annotators differ, to be decided together."),
    ] = None,
    decided: Annotated[
        Path | None, typer.Option(help="That sheet, filled in: what was decided counts.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap intervals.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare annotators with each other, and the ledger with them: kappa, precision, recall.

    Annotators are called by the names of their sheets; NAME.answers.csv beside NAME.csv is read
    with it. All numbers are of the calls, not of the sheet: turns weigh by how likely they were
    drawn.
    """
    from warmline.annotation import read_key, read_labels, read_sheet, read_texts, write_disputes
    from warmline.annotation.agreement import agreement as agree
    from warmline.research.provenance import without_warehouse

    known = read_key(key)
    labels = {path.stem: read_labels(path, known) for path in sheets}
    if len(labels) < len(sheets):
        raise DataError("two sheets have one name, and the name says who labelled: rename one")
    if empty := [name for name, found in labels.items() if not found]:
        raise DataError(f"{', '.join(empty)}: the column feeling is empty: nothing is labelled yet")
    found = agree(labels, known, decided=read_sheet(decided, known) if decided else None, seed=seed)
    if disputes is not None:
        write_disputes(found.undecided, labels, read_texts(sheets[0]), disputes)
        messages().print(f"to be decided: {disputes}", style="dim", soft_wrap=True)
    read = [*sheets, key, *([decided] if decided else [])]
    made = without_warehouse(_command(sheets, key, decided, seed), read)
    if as_json:
        told = asdict(found) | {"provenance": asdict(made)}
        typer.echo(json.dumps(told, indent=2, default=str))
    else:
        _print(found)
        for said in made.sentences():
            messages().print(said, style="dim", soft_wrap=True, highlight=False, markup=False)


def _command(sheets: Sequence[Path], key: Path, decided: Path | None, seed: int) -> str:
    words = ["warmline agreement", *map(str, sheets), f"--key {key}", f"--seed {seed}"]
    return " ".join([*words, *([f"--decided {decided}"] if decided else [])])


_TWO, _ALL = "Annotators, Cohen's kappa", "All annotators together"
_LEDGER, _FOUND = "The ledger", "Of what it finds"
_WHERE, _RATES = "Its precision where so many turns show a feeling", "Turns that show a feeling"
#: What the numbers of each table say.
_MEANINGS = {
    _TWO: "kappa: how far two people agree beyond luck, 1 always, 0 no more than luck gives. a "
    "feeling: whether a turn shows one; which: the same one, where both see one; answered: whether "
    "it was answered.",
    _ALL: "same: the share of pairs of labels that are alike. AC1, alpha: agreement beyond luck, "
    "1 always, 0 no more than luck, as Gwet and as Krippendorff count luck; where feelings are "
    "rare, AC1 depends less on how rare they are.",
    _LEDGER: "precision: of the turns in which the ledger finds a feeling, the share in which this "
    "person sees one. recall: of the turns in which the person sees one, the share in which the "
    "ledger finds it. specificity: of the turns in which the person sees none, the share in which "
    "it finds none.",
    _FOUND: "Where both find a feeling. same kind: the share in which both name the same one. same "
    "answered: the share in which both say the same of whether it was answered; its kappa: how far "
    "that goes beyond luck.",
    _WHERE: "The share of what the ledger finds that is right, were feelings so frequent: the "
    "rarer they are, the more of it is wrong.",
    _RATES: "flagged: the share of turns in which the ledger finds a feeling. errors taken off: "
    "the share that shows one, less what it makes up and with what it misses.",
}


def _print(found: "Agreement") -> None:
    if found.between:
        rows = [
            (f"{b.left}, {b.right}", str(b.items), *map(_said, (b.cue, b.feeling, b.answered)))
            for b in found.between
        ]
        _table(_TWO, ("between", "turns", "a feeling", "which", "answered"), rows)
    if found.together:
        each = [
            (_QUESTIONS[t.question], str(t.items), *map(_said, (t.same, t.ac1, t.alpha)))
            for t in found.together
        ]
        _table(_ALL, ("question", "turns", "same", "AC1", "alpha"), each)
    ledger = [
        (*(a.annotator, str(a.items)), *map(_said, (a.precision, a.recall, a.specificity)))
        for a in found.against
    ]
    _table(_LEDGER, ("annotator", "turns", "precision", "recall", "specificity"), ledger)
    of_found = [
        (a.annotator, *map(_said, (a.kind, a.answered, a.answered_kappa))) for a in found.against
    ]
    _table(_FOUND, ("annotator", "same kind", "same answered", "its kappa"), of_found)
    if shares := list(found.against[-1].precision_at):
        rows = [
            (a.annotator, *(f"{p:.2f}" for p in a.precision_at.values())) for a in found.against
        ]
        headings = ("annotator", *(f"{share:.0%}" for share in shares))
        _table(_WHERE, headings, rows)
    if found.rates:
        rates = [
            (r.stratum, f"{r.turns:,}", f"{r.flagged:.3f}", _said(r.rate)) for r in found.rates
        ]
        _table(_RATES, ("group", "turns", "flagged", "errors taken off"), rates)
    note = "Intervals of 95 %; turns weigh by how likely they were drawn."
    if found.undecided:
        note += (
            f" On {len(found.undecided)} turns the annotators differ: they count by halves until "
            "--disputes FILE.csv, filled in, comes back as --decided."
        )
    messages().print(note, style="dim", soft_wrap=True)


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, and a sentence for each of its numbers."""
    from rich.table import Table

    table = Table(box=None, header_style="dim", title=title, title_justify="left")
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left", no_wrap=not i, overflow="fold")
    for row in rows:
        table.add_row(*row)
    print_rows(table)
    output().print(_MEANINGS[title], style="dim", soft_wrap=True, highlight=False, markup=False)


def _said(estimate: "Estimate | None") -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f}\n{estimate.low:.2f}–{estimate.high:.2f}"
