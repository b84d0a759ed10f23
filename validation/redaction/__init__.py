"""Redaction on generated pieces of calls: what is hidden that should be, and what should not."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from warmline.redaction import kinds, redact
from warmline.settings import RedactionSettings
from warmline.statistics import Estimate, wilson

from ..context import Context
from ..private import Piece, pieces
from ..report import Headline, Section, Table
from ..scores import said
from ..written import CONTROL, counts, try_saying, written_sayings

OF_EACH = 300
_LEAST_OF_A_FORM = 10
_ALL = RedactionSettings(kinds=tuple(kinds()))
_DEFAULT = RedactionSettings().kinds


_WRITTEN = """\
Sayings of agents and customers written by hand with what is private in them marked
(`written.toml`): **by who wrote the rules, and they were mended until few of these were left**, so
that this says what the rules know, not how well they do on calls. One control was taken out by
hand: somebody says that the PIN pad in a shop at an address is broken, and the address is hidden.

What a first try on sayings by another hand, who had not seen the rules, hid: **174 of 200 forms
wholly (87.0 %, [0.816, 0.910]), and something in 7 of 100 harmless sayings** (aimed at are 95 % and
5 %). Half of that set was then learned from, by kinds of sayings. **Of the other half 89 of 100
forms were hidden wholly after that (86 before), and something in 2 of 50 harmless sayings**; two of
its kinds of sayings had become known meanwhile, without which it is 87. The misses of the other
half have been looked at since, once, and kinds of them were mended: 92 of 100, and 0 of 50, which
says what the rules know. **Of a third set by another hand 169 of 200 forms were hidden at first
sight (84.5 %), and something in 3 of 100 harmless sayings**; all of it has been learned from since,
by kinds of sayings. **Of a fourth set, by the rules as they were after that, 169 of 200 again (84.5
%), and something in 5 of 100 harmless sayings**; the rules of before had hidden 160 of them. Its
misses were mended by kinds, too. **Of a fifth set, two thirds of it ordinary ways of saying such
things, 180 of 200 were hidden at first sight (90.0 %, [0.851, 0.934]), and something in 1 of 100
harmless sayings**; before the third set it would have been 172. Its misses were mended by kinds,
too. **Of a sixth set, like the fifth, 182 of 200 were hidden at first sight (91.0 %, [0.862,
0.942]), and something in 1 of 100 harmless sayings**; a few kinds of its misses were mended after.

In other languages a first try on sayings by another hand, who had not seen the rules, hid **109 of
120 forms wholly (90.8 %, [0.843, 0.948]), and something in 1 of 60 harmless sayings**: German 15,
Dutch 16, Spanish 19, Italian 19, French 20, Portuguese 20 of 20 each.

All kinds are on; a control is a false alarm when a single word of it is hidden."""
_INTRODUCTION = f"""\
{OF_EACH} generated pieces of calls of each kind, and {OF_EACH} of each sort of harmless number.
They are text: what a recogniser makes of spoken digits is tried only in so far as one word in ten
is misheard in some of them. **Nobody said them, and who wrote the generator wrote the rules**,
though the generator came first and no form was taken out for failing; where harmless sayings were
hidden the rules were mended, so that their precision here is one that was fitted.

*Hidden wholly* is of values, the rest of words. A value that is misheard where it begins, and a
short code that nothing announces, are not found. What a speaker says while correcting a number
("no, sorry") is hidden with it, though it is not counted as private here. A number whose
announcement is not understood is hidden as `number` if it is long: found, but not as of its
kind."""


@dataclass(frozen=True)
class Told:
    """What redaction made of one piece: words that were private, were hidden, and were both."""

    piece: Piece
    private: int
    hidden: int
    both: int
    right_kind: bool

    @property
    def is_whole(self) -> bool:
        """Whether nothing private is left."""
        return self.both == self.private


def tell(piece: Piece, settings: RedactionSettings = _ALL) -> Told:
    """Redact one piece and compare it with what is known of it, word by word."""
    _, rows = redact(piece.transcript, settings)
    hidden = [
        any(
            row.party == word.party and row.start_s <= word.start_s and word.end_s <= row.end_s
            for row in rows
        )
        for word in piece.transcript.words
    ]
    pairs = list(zip(piece.private, hidden, strict=True))
    return Told(
        piece,
        sum(piece.private),
        sum(hidden),
        sum(is_private and is_hidden for is_private, is_hidden in pairs),
        {row.kind for row in rows} <= {piece.kind},
    )


def validate_redaction(context: Context) -> Section:
    """Recall and precision for each kind, and harmless numbers left alone."""
    told = [tell(piece) for piece in pieces(context.seed, OF_EACH)]
    private = [t for t in told if t.piece.kind is not None]
    harmless = [t for t in told if t.piece.kind is None]
    by_default = [t for t in private if t.piece.kind in _DEFAULT]
    return Section(
        "Redaction",
        (
            _WRITTEN,
            _written_table(),
            _INTRODUCTION,
            _table(private),
            "The forms of which least is hidden wholly:",
            _worst(private),
            "Pieces without anything private, with all kinds switched on:",
            _harmless_table(harmless),
        ),
        (
            Headline("private values hidden wholly", "generated", _whole(by_default)),
            Headline("hidden words that were private", "generated", _precision(told)),
            Headline("harmless pieces left as they are", "generated", _left(harmless)),
        ),
    )


def _written_table() -> Table:
    outcomes = [try_saying(saying) for saying in written_sayings()]
    rows = []
    for count in counts(outcomes):
        is_control = count.kind == CONTROL
        share = said(wilson(count.right, count.all))
        named = "controls left alone" if is_control else count.kind.replace("_", " ")
        rows.append((named, f"{count.right} of {count.all}", share))
    forms = [o for o in outcomes if o.saying.kind != CONTROL]
    whole = sum(o.is_right for o in forms)
    rows.append(("all forms", f"{whole} of {len(forms)}", said(wilson(whole, len(forms)))))
    return Table(("kind", "hidden wholly", "share"), tuple(rows))


def _table(told: Sequence[Told]) -> Table:
    rows = []
    for kind, found in _by(told, lambda t: str(t.piece.kind)).items():
        right = wilson(
            sum(t.right_kind for t in found if t.hidden), sum(t.hidden > 0 for t in found)
        )
        rows.append(
            (
                *(kind.replace("_", " "), str(len(found))),
                *(said(_whole(found)), said(_recall(found))),
                *(said(_precision(found)), said(right)),
            )
        )
    headings = (
        *("kind", "pieces", "hidden wholly", "recall, words"),
        *("precision, words", "of those found, nothing but this kind"),
    )
    return Table(headings, tuple(rows))


def _worst(told: Sequence[Told]) -> Table:
    forms = _by(told, lambda t: f"{str(t.piece.kind).replace('_', ' ')}: {t.piece.form}")
    often = {form: found for form, found in forms.items() if len(found) >= _LEAST_OF_A_FORM}
    ranked = sorted(often.items(), key=lambda form: _share(form[1]))[:8]
    rows = tuple((form, str(len(found)), said(_whole(found))) for form, found in ranked)
    return Table(("form", "pieces", "hidden wholly"), rows)


def _harmless_table(told: Sequence[Told]) -> Table:
    rows = tuple(
        (
            *(form, str(len(found)), said(_left(found))),
            f"{sum(t.hidden for t in found)} of {sum(len(t.piece.private) for t in found)}",
        )
        for form, found in _by(told, lambda t: t.piece.form).items()
    )
    return Table(("numbers in them", "pieces", "left as they are", "words hidden"), rows)


def _by(told: Sequence[Told], key: Callable[[Told], str]) -> dict[str, list[Told]]:
    found: defaultdict[str, list[Told]] = defaultdict(list)
    for t in told:
        found[key(t)].append(t)
    return dict(found)


def _share(told: Sequence[Told]) -> float:
    return sum(t.is_whole for t in told) / len(told)


def _whole(told: Sequence[Told]) -> Estimate:
    return wilson(sum(t.is_whole for t in told), len(told))


def _left(told: Sequence[Told]) -> Estimate:
    return wilson(sum(not t.hidden for t in told), len(told))


def _recall(told: Sequence[Told]) -> Estimate:
    return wilson(sum(t.both for t in told), sum(t.private for t in told))


def _precision(told: Sequence[Told]) -> Estimate | None:
    return wilson(sum(t.both for t in told), sum(t.hidden for t in told))
