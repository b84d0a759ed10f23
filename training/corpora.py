"""The labelled texts that networks and weights are learned from, and that validation tries them on.

The public ones are read where they lie, never copied. GoEmotions (Demszky et al. 2020,
arXiv:2005.00547): Reddit comments with 27 emotions and neutral. EPITOME (Sharma et al. 2020,
arXiv:2009.08441): pairs of a post that seeks support and a response, with levels 0 to 2 of three
mechanisms of empathy and the words that show them. XED (Öhman et al. 2020, CC BY 4.0): spoken lines
of films with Plutchik's emotions. `support_turns.txt` and `support_sets.txt`, in
this folder, were written for this project: see their heads.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmline.errors import DataError
from warmline.language.windows import EMOTIONS, MECHANISMS

EPITOME_FILES = {
    "emotional_reaction": "emotional-reactions.csv",
    "interpretation": "interpretations.csv",
    "exploration": "explorations.csv",
}
SUPPORT_FILES = tuple(
    Path(__file__).with_name(name) for name in ("support_turns.txt", "support_sets.txt")
)
SERVICE_LINES = Path(__file__).with_name("service_lines.txt")
SERVICE_PAIRS = Path(__file__).with_name("service_pairs.txt")
AGENT_LINES = Path(__file__).with_name("agent_lines.txt")
# Plutchik's emotions as XED numbers them -> the ledger's names; disgust counts as anger.
XED_FEELINGS = {
    1: "anger_frustration",
    3: "anger_frustration",
    4: "fear_anxiety",
    6: "sadness_disappointment",
}
# A feeling as the file names it -> the ledger's name of it.
SUPPORT_FEELINGS = {
    "fear": "fear_anxiety",
    "anger": "anger_frustration",
    "sad": "sadness_disappointment",
    "lost": "confusion_powerlessness",
}
_SPEAKERS = {"C": "customer", "A": "agent"}
_HEADING = re.compile(r"\[(\d{3})([a-z]?) ([a-z-]+) ([a-z]+)\]")
_TURN = re.compile(r"([CA]) ([a-z0-9 ]+): (\S.*)")
_SERVICE_LINE = re.compile(r"([a-z]{2}) (feeling|trouble|plain): (?:(\S[^|]*) \| )?(\S[^|]*)")
_AGENT_LINE = re.compile(r"([a-z]{2}) agent: (\S.*)")
_XED_LABELS = re.compile(r"\d(, ?\d)*")
_LEVELS = range(3)
_HELD_OUT_EVERY = 4


@dataclass(frozen=True)
class Comment:
    """A Reddit comment and the emotions that its readers found in it (GoEmotions)."""

    text: str
    emotions: frozenset[str]


@dataclass(frozen=True)
class Pair:
    """A post, a response, and for each mechanism the level and the words of it (EPITOME)."""

    seeker_id: str
    response_id: str
    seeker: str
    response: str
    levels: tuple[int, ...]
    rationales: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class SupportTurn:
    """A turn of `support_turns.txt` or `support_sets.txt`.

    `level`, 0 to 2, is of empathy in an agent's turn, of the strongest feeling in a customer's;
    `feelings` are the customer's, by the ledger's names, none where only the level is known.
    """

    speaker: str
    text: str
    level: int
    feelings: frozenset[str]


@dataclass(frozen=True)
class FilmLine:
    """A line of XED and the feelings that people, or the line it was projected from, gave it."""

    text: str
    feelings: frozenset[str]


@dataclass(frozen=True)
class ServiceLine:
    """A line of `service_lines.txt` or `service_pairs.txt`: `label` is feeling, trouble or plain.

    `before` is what the agent said last, None where the file does not say.
    """

    language: str
    label: str
    before: str | None
    text: str


@dataclass(frozen=True)
class SupportDialogue:
    """Turns that follow each other; dialogues of one number are variants of each other."""

    number: int
    variant: str
    domain: str
    register: str
    turns: tuple[SupportTurn, ...]

    @property
    def is_held_out(self) -> bool:
        """Whether nothing may be learned from it."""
        return self.number % _HELD_OUT_EVERY == 0


def goemotions(folder: Path, part: str) -> list[Comment]:
    """The comments of `train` or `dev`, in the order of the file."""
    names = _lines(folder / "labels.txt")
    if not set(names) <= set(EMOTIONS):
        raise DataError(f"{folder / 'labels.txt'}: other labels than {', '.join(EMOTIONS)}")
    path = folder / f"{part}.tsv"
    rows = csv.reader(_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)
    found = []
    for number, row in enumerate(rows, 1):
        try:
            emotions = frozenset(names[int(label)] for label in row[1].split(","))
        except (ValueError, IndexError) as e:
            raise DataError(f"{path}, line {number}, column 2: not numbers of labels") from e
        found.append(Comment(row[0], emotions))
    return found


def xed(folder: Path) -> dict[str, list[FilmLine]]:
    """Return the lines of two words or more by language, four of five: the others are held out."""
    files = {"en": folder / "en-annotated.tsv"}
    files |= {f.name.split("-")[0]: f for f in sorted(folder.glob("*-projections*.tsv"))}
    return {code: [x for x in _film(f) if not xed_held_out(x.text)] for code, f in files.items()}


def xed_neutral(folder: Path) -> list[str]:
    """Return the neutral lines of English that are not held out."""
    rows = [line.split("\t") for line in _lines(folder / "neu_en.txt")]
    return [row[1] for row in rows if len(row) > 1 and not xed_held_out(row[1])]


def xed_held_out(text: str) -> bool:
    """Return whether a line is one of the fifth that nothing may be learned from."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 5 == 0


def service_lines(path: Path = SERVICE_LINES) -> list[ServiceLine]:
    """Return the lines of customers in seven languages that were written for this project."""
    found = []
    for number, line in enumerate(_lines(path), 1):
        read = _SERVICE_LINE.fullmatch(line)
        if read:
            found.append(ServiceLine(*read.groups()))
        elif line and not line.startswith("#"):
            raise DataError(f"{path.name}, line {number}: not `language label: words`")
    return found


def agent_lines(path: Path = AGENT_LINES) -> list[tuple[str, str]]:
    """Return (language, words) of the lines of agents that were written for this project."""
    read = (_AGENT_LINE.fullmatch(line) for line in _lines(path) if line and line[0] != "#")
    return [(one[1], one[2]) for one in read if one]


def _film(path: Path) -> list[FilmLine]:
    found: dict[str, FilmLine] = {}
    for line in _lines(path):
        text, _, labels = line.rstrip().partition("\t")
        if _XED_LABELS.fullmatch(labels) and len(text.split()) > 1:
            numbers = [int(n) for n in labels.split(",")]
            feelings = frozenset(XED_FEELINGS[n] for n in numbers if n in XED_FEELINGS)
            found[text] = FilmLine(text, feelings)
    return list(found.values())


def epitome(folder: Path) -> list[Pair]:
    """All pairs, in the order of the files, which is the same in all three."""
    tables = [list(table_rows(folder / EPITOME_FILES[mechanism])) for mechanism in MECHANISMS]
    return [_pair(rows) for rows in zip(*tables, strict=True)]


def support_dialogues(*paths: Path) -> list[SupportDialogue]:
    """The dialogues written for this project, in the order of the files; of both without a path."""
    return [d for path in paths or SUPPORT_FILES for d in _dialogues(path)]


def _dialogues(path: Path) -> list[SupportDialogue]:
    found: list[SupportDialogue] = []
    heading, turns = None, []
    for number, line in enumerate([*_lines(path), "[]"], 1):
        if line.startswith("["):
            if heading:
                found.append(SupportDialogue(int(heading[1]), *heading.groups()[1:], tuple(turns)))
            heading, turns = _HEADING.fullmatch(line), []
        elif heading and line:
            turns.append(_support_turn(line, f"{path.name}, line {number}"))
        elif line and not line.startswith("#"):
            raise DataError(f"{path.name}, line {number}: a turn without a dialogue: {line!r}")
    return found


def table_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file with a heading."""
    with _existing(path).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _support_turn(line: str, place: str) -> SupportTurn:
    read = _TURN.fullmatch(line)
    if read is None:
        raise DataError(f"{place}: not `C labels: words` or `A level: words`")
    speaker, labels, text = _SPEAKERS[read[1]], read[2].split(), read[3]
    if speaker == "agent" and labels in [[str(level)] for level in _LEVELS]:
        return SupportTurn(speaker, text, int(labels[0]), frozenset())
    if speaker == "customer" and labels in (["none"], ["positive"]):
        return SupportTurn(speaker, text, 0, frozenset())
    if speaker == "customer" and labels in (["negative1"], ["negative2"]):
        return SupportTurn(speaker, text, int(labels[0][-1]), frozenset())
    names = [label[:-1] for label in labels]
    strengths = [label[-1] for label in labels]
    if speaker == "agent" or not (
        set(names) <= set(SUPPORT_FEELINGS) and set(strengths) <= set("12")
    ):
        raise DataError(f"{place}: {read[2]!r} is no label of a turn of the {speaker}")
    return SupportTurn(
        speaker, text, max(map(int, strengths)), frozenset(SUPPORT_FEELINGS[name] for name in names)
    )


def _pair(rows: Sequence[dict[str, str]]) -> Pair:
    if len({(row["sp_id"], row["rp_id"]) for row in rows}) != 1:
        raise DataError(f"the files of EPITOME differ in order at {rows[0]['sp_id']}")
    return Pair(
        rows[0]["sp_id"],
        rows[0]["rp_id"],
        rows[0]["seeker_post"],
        rows[0]["response_post"],
        tuple(int(row["level"]) for row in rows),
        tuple(tuple(p for p in row["rationales"].split("|") if p.strip()) for row in rows),
    )


def _lines(path: Path) -> list[str]:
    with _existing(path).open(encoding="utf-8", newline="") as file:
        return [line.rstrip("\n") for line in file]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: the labelled data are not there; name their folder: --data DIR")
    return path
