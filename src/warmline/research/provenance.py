"""What a study gives to others: its plan, what it rests on, and its rows without names."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from warmline import __version__
from warmline.database import open_for_reading
from warmline.errors import DataError, QueryError
from warmline.files import write_text_whole
from warmline.research import CONTROL_COLUMNS, WORDS, Correction, Design, Effects, Model
from warmline.research.sample import Sample

_FORMAT = 1
_LIBRARIES = ("duckdb", "lifelines", "numpy", "pandas", "statsmodels")
_ENUMS = {"effects": Effects, "correction": Correction, "model": Model}
#: Options of `warmline research retention` by the field of a design that they set.
_OPTIONS = {
    "outcome": "--outcome",
    "measures": "--measure",
    "controls": "--control",
    "effects": "--effects",
    "model": "--model",
    "correction": "--correction",
    "since": "--since",
    "until": "--until",
    "within_days": "--within-days",
    "after_days": "--after-days",
    "excluded_reasons": "--exclude-reason",
    "min_n": "--min-n",
    "negative_controls": "--negative-control",
}

#: A line for each call with its measures, and for each outcome; what depends on when an analysis
#: was made is not in it, so that the same calls have the same digest wherever they are analyzed.
_LINES = """
SELECT md5(concat_ws('|', calls.call_id, calls.audio_sha256, calls.status, calls.agent_id,
    calls.customer_id, calls.team, calls.queue, calls.contact_reason, calls.started_at,
    calls.duration_s, call_measures::VARCHAR)) AS line
FROM calls LEFT JOIN call_measures USING (call_id)
UNION ALL
SELECT md5(concat_ws('|', customer_id, call_id, name, value, at_latest)) FROM outcome_calls
"""


@dataclass(frozen=True)
class Provenance:
    """The plan, data and versions that a report rests on.

    `design_sha256` is the digest of its design, as `warmline research plan` prints it;
    `not_planned` says what is other than in the plan that was given. `data_sha256` is the digest of
    all calls, measures and outcomes in the warehouse; `models` listened and read; `definitions`
    are the versions of the measures' definitions. None of these without a warehouse. `files` are
    the digests of other files that were read, by name.
    """

    made_at: datetime
    command: str
    warmline: str
    libraries: Mapping[str, str]
    design_sha256: str | None = None
    not_planned: tuple[str, ...] = ()
    data_sha256: str | None = None
    models: tuple[str, ...] = ()
    definitions: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Return it in words, an item each; the date is the first, alone."""
        libraries = ", ".join(f"{name} {number}" for name, number in self.libraries.items())
        versions = ", ".join(f"{name} {number}" for name, number in self.definitions.items())
        said = [f"Made at {self.made_at:%Y-%m-%d %H:%M} UTC.", f"Command: {self.command}"]
        if self.design_sha256 is not None:
            said.append(
                f"Digest of the design: {self.design_sha256[:16]}. A plan file of this digest that "
                "is older than the outcomes shows that the design was not chosen by its results "
                "(warmline research plan)."
            )
        if self.not_planned:
            said.append(f"Not as planned: {'; '.join(self.not_planned)}.")
        said += [f"Digest of {name}: {digest[:16]}." for name, digest in self.files.items()]
        if self.data_sha256 is not None:
            said += [
                f"Digest of calls, measures and outcomes: {self.data_sha256[:16]}.",
                f"Versions of the measures' definitions: {versions or 'none'}.",
                f"Models: {', '.join(self.models) or 'none'}.",
            ]
        return [*said, ", ".join(filter(None, (f"warmline {self.warmline}", libraries))) + "."]


def without_warehouse(command: str, files: Sequence[Path] = ()) -> Provenance:
    """Return what a report rests on that needs no warehouse, made now of these files.

    Raises DataError for a file that cannot be read.
    """
    digests = {}
    for path in files:
        try:
            digests[path.name] = sha256(path.read_bytes()).hexdigest()
        except OSError as e:
            raise DataError(f"{path}: cannot be read ({e.strerror})") from e
    return Provenance(_now(), command, __version__, {"numpy": version("numpy")}, files=digests)


def provenance(
    warehouse: Path,
    design: Design,
    command: str = "",
    planned: Design | None = None,
    *,
    is_study: bool = True,
) -> Provenance:
    """Return what a report of a design rests on, made now.

    Only a study has a digest of its design, because only a study can be planned.
    """
    with open_for_reading(warehouse) as con:
        con.execute("SET TimeZone = 'UTC'")
        models = con.execute("SELECT DISTINCT model, version FROM models ORDER BY ALL").fetchall()
        found = con.execute("SELECT name, version FROM metric_definitions").fetchall()
        data = _digest_of_data(con)
    versions = dict(found)
    return Provenance(
        made_at=_now(),
        command=command or command_of(design),
        design_sha256=digest_of(design) if is_study else None,
        not_planned=deviations(planned, design) if planned else (),
        data_sha256=data,
        warmline=__version__,
        libraries={name: version(name) for name in _LIBRARIES},
        models=tuple(f"{name} {number}" for name, number in models),
        definitions={m: versions[m] for m in design.measures if m in versions},
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def freeze(design: Design, path: Path) -> str:
    """Write a design as a plan; return its digest. Raises QueryError rather than replace a plan."""
    if path.exists():
        raise QueryError(f"{path} is there: a plan is not written over; choose another name")
    digest = digest_of(design)
    plan = {
        "warmline_plan": _FORMAT,
        "frozen_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "sha256": digest,
        "design": _plain(design),
    }
    write_text_whole(path, json.dumps(plan, indent=2) + "\n", QueryError, "the plan")
    return digest


def read_plan(path: Path) -> Design:
    """Return the design of a plan; raises DataError for a file that is none, or was changed."""
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        given, digest = plan["design"], plan["sha256"]
        if plan["warmline_plan"] != _FORMAT or set(given) != {f.name for f in fields(Design)}:
            raise DataError(
                f"{path}: a plan of another warmline (format {plan['warmline_plan']}); this one "
                f"reads format {_FORMAT}"
            )
        design = _design(given)
    except OSError as e:
        raise DataError(f"{path}: cannot be read ({e.strerror})") from e
    except (ValueError, TypeError, KeyError) as e:
        raise DataError(f"{path}: not a plan, which `warmline research plan` writes") from e
    if digest_of(design) != digest:
        raise DataError(
            f"{path}: it was changed after it was frozen: its design has the digest "
            f"{digest_of(design)[:16]}, and not {str(digest)[:16]}"
        )
    return design


def digest_of(design: Design) -> str:
    """Return the SHA-256 of a design, whatever file it stands in."""
    return sha256(json.dumps(_plain(design), sort_keys=True).encode()).hexdigest()


def deviations(planned: Design, done: Design) -> tuple[str, ...]:
    """Return in words what was done otherwise than planned."""
    before, after = _plain(planned), _plain(done)
    return tuple(
        f"{name} is {_said(after[name])}, planned was {_said(before[name])}"
        for name in before
        if before[name] != after[name]
    )


def command_of(
    design: Design,
    command: str = "retention",
    names: Sequence[str] = tuple(_OPTIONS),
    more: Sequence[str] = (),
) -> str:
    """Return the command of this study, `names` of its design spelled out, then what is `more`."""
    words = ["warmline" if command == "reliability" else "warmline research", command]
    for name in names:
        option = _OPTIONS[name]
        value = _plain(design)[name]
        if name == "controls" and not value:
            value = ["none"]
        given = [v for v in (value if isinstance(value, list) else [value]) if v is not None]
        words += [f"{option} {v:g}" if isinstance(v, float) else f"{option} {v}" for v in given]
    if design.is_simulated:
        words.append("--simulated")
    return " ".join([*words, *more])


def _digest_of_data(con: duckdb.DuckDBPyConnection) -> str:
    found = con.execute(
        f"SELECT coalesce(sha256(string_agg(line, '' ORDER BY line)), '') FROM ({_LINES})"
    ).fetchone()
    return str(found[0]) if found else ""


def _plain(design: Design) -> dict[str, Any]:
    """Return a design as JSON has it."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(design), default=str))
    return plain


def _design(given: Mapping[str, Any]) -> Design:
    design = Design()
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in _ENUMS:
            values[name] = _ENUMS[name](value)
        elif name in ("since", "until"):
            values[name] = None if value is None else date.fromisoformat(value)
        elif isinstance(value, list):
            values[name] = tuple(value)
        else:
            values[name] = value
    return replace(design, **values)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)


_FEWEST = 10
_DIGITS = 4
_READ_R = """\
# Reads the table as it was written: empty is missing, words are factors, ids are words.
calls <- read.csv("calls.csv", na.strings = "", stringsAsFactors = TRUE)
codebook <- read.csv("codebook.csv", stringsAsFactors = FALSE)
stopifnot(identical(names(calls), codebook$name))
"""
_MEANING = {
    "agent": ("id", "who took the call: a number by lot, of this export alone"),
    "customer": ("id", "who called: a number by lot, of this export alone"),
    "week": ("weeks", "weeks from the first call of the export to this one"),
    "outcome": ("", "the outcome {outcome}"),
    "days_after": ("days", "days from the call to the outcome, or followed without one"),
    "weight": ("", "inverse of the chance of being followed so long"),
    "log_duration": ("log s", "natural logarithm of the call's length"),
    "month": ("", "calendar month of the call, UTC"),
    "heard_words": ("", "mean probability of the call's words, as the recogniser has it"),
    "heard_confidence": ("", "mean confidence in the call's measures, 0 to 1"),
    "heard_coverage": ("", "mean share of the call that its measures could look at, 0 to 1"),
    "opening_cues": ("count", "cues of feelings in the first quarter of the conversation"),
    "opening_hostile": ("count", "hostile words and complaints in the first quarter"),
    "opening_friction": ("count", "friction told of in the first quarter"),
    "opening_rate_words_per_s": ("words/s", "the customer's speech rate in the first quarter"),
    "opening_level_rel_db": ("dB", "the customer's level in it, against their whole call"),
}


@dataclass(frozen=True)
class Variable:
    """A column of the table as the codebook has it."""

    name: str
    type: str
    unit: str
    definition: str
    version: str
    missing: int


def write_export(
    sample: Sample, design: Design, made: Provenance, warehouse: Path, folder: Path
) -> tuple[Path, ...]:
    """Write `calls.csv`, `codebook.csv`, `read.R` and `README.txt`; return them, the table first.

    Raises QueryError where there is no row, or rather than write over a table.
    """
    import pandas as pd

    table_path = folder / "calls.csv"
    if table_path.exists():
        raise QueryError(f"{table_path} is there: name another folder")
    if sample.frame.empty:
        raise QueryError(f"no call has the outcome {design.outcome}: there is nothing to export")
    table = deidentified(sample.frame, design)
    codebook = pd.DataFrame(_variables(table, design, warehouse))
    left_out = "".join(f"- {why}: {count}\n" for why, count in sample.flow.items())
    notes = "".join(f"{said}\n" for said in made.sentences())
    texts = {
        "calls.csv": table.to_csv(index=False, float_format=f"%.{_DIGITS}g", lineterminator="\n"),
        "codebook.csv": codebook.to_csv(index=False, lineterminator="\n"),
        "read.R": _READ_R,
        "README.txt": f"{len(table)} of {sample.total} {sample.unit}; left out:\n"
        f"{left_out}\n{notes}",
    }
    for name, text in texts.items():
        write_text_whole(folder / name, text, QueryError, "the export")
    return tuple(folder / name for name in texts)


def deidentified(frame: Any, design: Design) -> Any:
    """Return the rows without names and days, in an order of chance."""
    import pandas as pd

    controls = [c for name in design.controls for c in CONTROL_COLUMNS[name] if c in frame]
    kept = ["outcome", "days_after", "weight", *controls, *design.measures]
    table = frame[[c for c in dict.fromkeys(kept) if c in frame]].copy()
    for column in WORDS & set(controls):
        counts = table[column].value_counts()
        rare = counts.index[counts < _FEWEST]
        table[column] = table[column].where(~table[column].isin(rare), "(rare)")
    began = frame["started_at"]
    table.insert(0, "week", ((began - began.min()).dt.days // 7).astype("Int64"))
    for name, column in (("customer", "customer_id"), ("agent", "agent_id")):
        table.insert(0, name, _by_lot(frame[column], name[0].upper()))
    order = list(range(len(table)))
    secrets.SystemRandom().shuffle(order)
    return pd.DataFrame(table.iloc[order]).reset_index(drop=True)


def _by_lot(names: Any, letter: str) -> Any:
    known = sorted(names.dropna().unique())
    numbers = list(range(1, len(known) + 1))
    secrets.SystemRandom().shuffle(numbers)
    width = len(str(len(known)))
    return names.map({n: f"{letter}{i:0{width}}" for n, i in zip(known, numbers, strict=True)})


def _variables(table: Any, design: Design, warehouse: Path) -> list[Variable]:
    with open_for_reading(warehouse) as con:
        rows = con.execute(
            "SELECT name, unit, definition, version FROM metric_definitions"
        ).fetchall()
    defined = {name: (unit, definition, str(number)) for name, unit, definition, number in rows}
    found = []
    for column in table.columns:
        unit, meaning = _MEANING.get(column, ("", f"{column.replace('_', ' ')} of the call"))
        number = ""
        if column in design.measures:
            unit, meaning, number = defined.get(column, ("", "a column of call_measures", ""))
        is_number = table[column].dtype.kind in "fiu"
        found.append(
            Variable(
                column,
                "number" if is_number else "words",
                unit,
                meaning.format(outcome=design.outcome) if column == "outcome" else meaning,
                number,
                int(table[column].isna().sum()),
            )
        )
    return found
