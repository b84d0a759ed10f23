"""Whether all calls are heard alike: who is left out, and whose words are doubtful or misheard.

Recognisers err more on some voices than on others (Koenecke et al. 2020), and a comparison of
agents whose customers, lines or languages differ is then one of recognisers. Groups are what a
centre has consent to look at (`--by`, a field of the metadata), else what stands for it: how sure
the recogniser was, the customer's pitch, the line and the language.
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from warmline.annotation import Key, Label, is_answered, opinion
from warmline.annotation.agreement import agreement, consensus
from warmline.database import open_for_reading
from warmline.errors import DataError, QueryError, SettingsError
from warmline.phrases import spoken_text
from warmline.research import Array, Correction, Design
from warmline.research.associations import corrected
from warmline.research.regression import Coefficient, t_interval
from warmline.research.sample import read_calls
from warmline.statistics import Estimate, bootstrap, wilson

#: A difference of more than so many points between a group and all other calls is unfair.
LARGEST_GAP = 0.05
_LEAST_CALLS = 30
_LEAST_SCRIPTS = 5
_LEVEL = 0.05
_Z = 1.959964
_SURE, _PITCH = "how sure the words are", "the customer's pitch"

_CALLS = """
SELECT
    calls.call_id, calls.language, calls.mean_word_probability AS sure,
    nullif(concat_ws(', ', calls.channel_kind, calls.codec, calls.sample_rate_hz || ' Hz'), '')
        AS line,
    calls.doubtful_words, calls.word_count,
    (calls.no_ledger_reason IS NOT NULL OR calls.agent_party IS NULL)::DOUBLE AS suppressed,
    (
        SELECT max(value) FROM metrics
        WHERE metrics.call_id = calls.call_id AND metrics.name = 'pitch_median_hz'
            AND metrics.party = calls.customer_party
    ) AS pitch,
    coalesce(
        calls.extra[$by],
        CASE $by
            WHEN 'queue' THEN calls.queue WHEN 'team' THEN calls.team
            WHEN 'agent_id' THEN CASE WHEN coalesce(calls.agents, 0) <= 1 THEN calls.agent_id END
            WHEN 'language' THEN calls.language
            WHEN 'direction' THEN calls.direction WHEN 'contact_reason' THEN calls.contact_reason
        END
    ) AS given,
    calls.extra['title'] AS script,
    (SELECT count(*) FROM opportunities WHERE opportunities.call_id = calls.call_id) AS cues
FROM calls
WHERE calls.status = 'analyzed' AND calls.is_simulated = $is_simulated
"""

# How groups are read where people say what is true. Of words that people wrote down, how many are
# misheard. A group in which fewer feelings are found may show fewer, so what the ledger says of
# labelled turns is set beside what people say of them: a logit of the ledger's finding on the
# truth, the group, and both together (logistic regression for differential item functioning,
# Swaminathan & Rogers 1990). Turns are drawn by whether they are flagged; odds ratios do not depend
# on that (Prentice & Pyke 1979), so that they are not weighed.

_LEAST_TURNS = 30
_BEYOND_BELIEF = 10.0
_HEARD = """
SELECT calls.call_id, string_agg(words.text, ' ' ORDER BY words.start_s)
FROM calls LEFT JOIN words ON words.call_id = calls.call_id AND words.party = calls.customer_party
WHERE calls.customer_party IS NOT NULL
GROUP BY ALL
"""


def read_written(folder: Path) -> dict[str, str]:
    """Return what customers said, as people wrote it down, by call id.

    Files are CALL_ID.txt, the customer's words in order, or the truth of a simulated call,
    CALL_ID.json. Raises DataError where there is none, or one cannot be read.
    """
    found = {}
    for path in sorted(folder.glob("*")):
        try:
            if path.suffix == ".txt":
                found[path.stem] = path.read_text(encoding="utf-8")
            elif path.suffix == ".json":
                turns = json.loads(path.read_text(encoding="utf-8"))["turns"]
                said = [turn["text"] for turn in turns if turn["role"] == "customer"]
                found[path.stem] = " ".join(said)
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise DataError(f"{path}: neither words nor the truth of a simulated call ({e})") from e
    if not found:
        raise DataError(f"{folder}: no file CALL_ID.txt with what a customer said")
    return found


def with_word_errors(frame: Any, warehouse: Path, written: Mapping[str, str]) -> Any:
    """Return calls with how many words of the customer were `written`, and `misheard`, where known.

    Calls in which it is not known who is the customer are left out. Errors are substitutions,
    deletions and insertions; case, punctuation and contractions do not count.
    """
    if importlib.util.find_spec("jiwer") is None:
        raise SettingsError("word errors need jiwer: pip install 'warmline[research]'")
    import jiwer

    with open_for_reading(warehouse) as con:
        heard = dict(con.execute(_HEARD).fetchall())
    counts = {}
    for call in set(written) & set(heard) & set(frame["call_id"]):
        wrote = " ".join(spoken_text(written[call]).words)
        said = " ".join(spoken_text(heard.get(call) or "").words)
        if wrote:
            scored = jiwer.process_words(wrote, said)
            edits = scored.substitutions + scored.deletions + scored.insertions
            counts[call] = (float(edits), float(len(wrote.split())))
    if not counts:
        raise QueryError(
            f"none of the {len(written)} calls that are written down is here with a known "
            "customer; files are named CALL_ID.txt"
        )
    pairs = [counts.get(call, (np.nan, np.nan)) for call in frame["call_id"]]
    return frame.assign(misheard=[p[0] for p in pairs], written=[p[1] for p in pairs])


@dataclass(frozen=True)
class Dif:
    """One group against all other calls: what the ledger says of turns that people see alike.

    `what` is `finds a feeling` or `sees an answer`. `log_odds` is the log odds ratio of the ledger
    saying so in the group, the truth being equal; `p_truth` tests whether the ledger goes with the
    truth less, or more, in the group than elsewhere. `p_corrected` allows for all groups. With a
    `reason` nothing is said.
    """

    of: str
    group: str
    what: str
    turns: int
    log_odds: Coefficient | None = None
    p_truth: float | None = None
    p_corrected: float | None = None
    reason: str | None = None

    @property
    def is_unfair(self) -> bool:
        """Return whether the ledger reads the group otherwise by more than chance."""
        return self.p_corrected is not None and self.p_corrected < _LEVEL

    def __str__(self) -> str:
        if self.log_odds is None:
            return f"where {self.of} is {self.group}: {self.reason}"
        times, low, high = (float(np.exp(v)) for v in _ends(self.log_odds))
        often = "more" if times > 1 else "less"
        surely = "more than chance gives" if self.is_unfair else "it may be chance"
        return (
            f"where {self.of} is {self.group}, the ledger {self.what} {often} often than in all "
            f"other calls, in turns that people see alike: {surely} (odds {times:.2g} times those "
            f"elsewhere, 95 % interval {low:.2g} to {high:.2g})"
        )


def _ends(found: Coefficient) -> tuple[float, float, float]:
    return found.value, found.low, found.high


def labelled_turns(sheets: Sequence[Mapping[str, Label]], key: Mapping[str, Key]) -> Any:
    """Return labelled turns as a frame: `call_id`, what is `felt` and `answered`, and as read."""
    import pandas as pd

    if len(sheets) == 1:
        said = {item: opinion(label) for item, label in sheets[0].items()}
    else:
        said = consensus(sheets)[0]
    return pd.DataFrame(
        [
            {
                "call_id": key[item].call_id,
                "flagged": float(bool(key[item].kinds)),
                "felt": told.felt,
                "seen": _number(is_answered(key[item].answer)),
                "answered": _number(is_answered(told.answer)),
            }
            for item, told in said.items()
        ],
        columns=["call_id", "flagged", "felt", "seen", "answered"],
    )


def _number(value: bool | None) -> float:
    return float("nan") if value is None else float(value)


def dif(of: str, turns: Any, group: Any) -> list[Dif]:
    """Return the difference of each group from the others, uncorrected (`p_corrected` is its p).

    `turns` as of `labelled_turns`, `group` (n,) the name of each turn's group.
    """
    both = turns.dropna(subset=["seen", "answered"])
    places = turns[["seen", "answered"]].notna().all(axis=1).to_numpy()
    asked = (
        ("finds a feeling", turns, "flagged", "felt", group),
        ("sees an answer", both, "seen", "answered", group[places]),
    )
    found = []
    for name in sorted(set(group.tolist())) if len(set(group.tolist())) > 1 else ():
        for what, rows, says, truth, groups in asked:
            found.append(
                _one(
                    Dif(of, str(name), what, int((groups == name).sum())),
                    rows[says].to_numpy(float),
                    rows[truth].to_numpy(float),
                    (groups == name).astype(float),
                    rows["call_id"].to_numpy(),
                )
            )
    return found


def _one(bare: Dif, says: Array, truth: Array, inside: Array, calls: Any) -> Dif:
    import statsmodels.api as sm

    if min(inside.sum(), len(inside) - inside.sum()) < _LEAST_TURNS:
        return replace(bare, reason=f"{bare.turns} labelled turns, at least {_LEAST_TURNS} needed")
    codes = np.unique(calls, return_inverse=True)[1]

    def fitted(*columns: Array) -> Any:
        x = sm.add_constant(np.column_stack(columns), has_constant="add")
        model = sm.GLM(says, x, sm.families.Binomial())
        return model.fit(cov_type="cluster", cov_kwds={"groups": codes})

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, both = fitted(truth, inside), fitted(truth, inside, truth * inside)
    value, se = float(plain.params[2]), float(plain.bse[2])
    if np.abs(plain.params).max() > _BEYOND_BELIEF or not np.isfinite(se) or se <= 0:
        return replace(bare, reason="something tells exactly what the ledger says")
    df = float(codes.max())
    estimate = Coefficient(value, se, df, *t_interval(value, se, df, 0.95))
    p_truth = float(both.pvalues[3]) if np.abs(both.params).max() < _BEYOND_BELIEF else None
    return replace(bare, log_odds=estimate, p_truth=p_truth, p_corrected=estimate.p)


# Who is left out of the comparison, and whose words are doubtful.


@dataclass(frozen=True)
class Group:
    """One group of calls. `missing` is the share of calls without a measure, by measure.

    `suppressed` is the share of calls without a ledger, or in which nobody is known to be the
    agent; `doubtful` the share of words that the recogniser doubted; `cues` how many feelings the
    ledger has a call. `recall` and `precision` of the ledger and `same_answer` (the same view of an
    answer as people) are there with labels, `word_errors` (of the customers' words, over those that
    were written down) with reference words.
    """

    of: str
    group: str
    calls: int
    suppressed: float
    doubtful: float | None
    cues: float
    missing: Mapping[str, float]
    recall: Estimate | None = None
    precision: Estimate | None = None
    same_answer: Estimate | None = None
    word_errors: Estimate | None = None


@dataclass(frozen=True)
class Gap:
    """The distance of a group from all other calls, with its interval.

    `what` is a measure (the share of calls without it), `suppressed`, `doubtful`, or `misheard`
    (word errors). `p` tests it against none; `p_corrected` allows for all groups and things that
    are looked at (Holm 1979).
    """

    of: str
    group: str
    what: str
    difference: float
    low: float
    high: float
    p: float
    p_corrected: float = 1.0

    @property
    def is_unfair(self) -> bool:
        """Return whether it exceeds 5 points and is no chance, of so many that are looked at."""
        return abs(self.difference) > LARGEST_GAP and self.p_corrected < _LEVEL

    def __str__(self) -> str:
        what = {"suppressed": "calls that are left out", "doubtful": "doubtful words"}
        what["misheard"] = "word errors"
        said = what.get(self.what, f"calls that have no {self.what}")
        way = "more" if self.difference > 0 else "fewer"
        return (
            f"where {self.of} is {self.group}, {said} are {abs(self.difference) * 100:.0f} in 100 "
            f"{way} than in all other calls (interval {self.low * 100:+.0f} to "
            f"{self.high * 100:+.0f})"
        )


def read_groups(
    warehouse: Path,
    design: Design,
    by: str | None = None,
    sheets: Sequence[Mapping[str, Label]] = (),
    key: Mapping[str, Key] | None = None,
    written: Mapping[str, str] | None = None,
) -> tuple[list[Group], list[Gap]]:
    """Return the groups of all calls and their gaps, `by` a field of the metadata or by stand-ins.

    With labels (`sheets`, `key`) also how well the ledger reads each group; with what customers
    said `written` down, by call id, how many of their words are misheard. Raises QueryError for a
    field that no call has, and where no call that is written down is here.
    """
    frame = read_frame(warehouse, design, by)
    if written is not None:
        frame = with_word_errors(frame, warehouse, written)
    groups, gaps = [], []
    for of, names in groupings(frame, by).items():
        sizes = names.value_counts()
        scripts = _scripts(frame, names)
        if scripts is not None:
            groups += [
                _group(of, str(name), frame, (names == name).to_numpy(), design, sheets, key)
                for name in sorted(sizes.index)
            ]
            gaps += _paired(of, frame, names, scripts, design)
            continue
        for name in sorted(sizes.index[sizes >= _LEAST_CALLS]):
            inside = (names == name).to_numpy()
            groups.append(_group(of, str(name), frame, inside, design, sheets, key))
            if len(sizes) > 1:
                gaps += _gaps(of, str(name), frame, inside, names.notna().to_numpy(), design)
    p_values = corrected([gap.p for gap in gaps], Correction.HOLM)
    return groups, [replace(g, p_corrected=p or 0.0) for g, p in zip(gaps, p_values, strict=True)]


def word_error_gap(
    of: str, name: str, misheard: Array, written: Array, inside: Any, others: Any
) -> Gap | None:
    """Return how far a group's word error lies from that of other calls; None where calls are few.

    `misheard` of `written` words, a row a call, NaN where nobody wrote it down. Words of a call are
    alike, so that calls are what is counted.
    """
    known = np.isfinite(written)
    sides = [side & known for side in (inside, others)]
    if min(side.sum() for side in sides) < _LEAST_SCRIPTS:
        return None
    rates, errors = [], []
    for side in sides:
        edits, words = misheard[side], written[side]
        rate = float(edits.sum() / words.sum())
        left, calls = edits - rate * words, int(side.sum())
        rates.append(rate)
        errors.append(float(left @ left) / words.sum() ** 2 * calls / (calls - 1))
    difference, se = rates[0] - rates[1], sqrt(sum(errors))
    if se == 0:
        is_same = difference == 0
        p = 1.0 if is_same else 0.0
        return Gap(of, name, "misheard", difference, difference, difference, p)
    # Welch's degrees of freedom.
    freedom = [e**2 / (side.sum() - 1) for e, side in zip(errors, sides, strict=True)]
    low, high, p = t_interval(difference, se, float(se**4 / sum(freedom)), 0.95)
    return Gap(of, name, "misheard", difference, low, high, p)


def read_gaps(warehouse: Path, design: Design) -> list[Gap]:
    """Return the gaps between groups of all calls, by stand-ins."""
    return read_groups(warehouse, design)[1]


def read_frame(warehouse: Path, design: Design, by: str | None) -> Any:
    """Return all calls with what groups are made of, and the measures.

    Raises QueryError for a field `by` that no call has.
    """
    measures = read_calls(warehouse, design)[["call_id", *design.measures]]
    with open_for_reading(warehouse) as con:
        about = con.execute(_CALLS, {"by": by or "", "is_simulated": design.is_simulated}).df()
    if by is not None and about["given"].isna().all():
        raise QueryError(
            f"of no call a {by!r} is known: it stands neither in the metadata nor in the calls' "
            "own columns"
        )
    return about.merge(measures, on="call_id")


def groupings(frame: Any, by: str | None) -> dict[str, Any]:
    """Return the name of each call's group, by what is known of calls; `frame` as read."""
    if by is not None:
        return {by: frame["given"]}
    found = {"language": frame["language"], "the line": frame["line"]}
    for of, column in ((_SURE, "sure"), (_PITCH, "pitch")):
        found[of] = _thirds(frame[column])
    return {of: names for of, names in found.items() if names.notna().any()}


def _thirds(values: Any) -> Any:
    """Return lowest, middle and highest third; None for what is not known."""
    import pandas as pd

    known = values.dropna()
    if known.nunique() < 3:
        return pd.Series(None, index=values.index, dtype=object)
    ranks = known.rank(method="first")
    third = np.minimum((ranks - 1) * 3 // len(ranks), 2).astype(int)
    return third.map(
        dict(enumerate(("the lowest third", "the middle", "the highest third")))
    ).reindex(values.index)


def _group(
    of: str,
    name: str,
    frame: Any,
    inside: Any,
    design: Design,
    sheets: Sequence[Mapping[str, Label]],
    key: Mapping[str, Key] | None,
) -> Group:
    rows = frame[inside]
    words = float(rows["word_count"].sum())
    bare = Group(
        of,
        name,
        len(rows),
        float(rows["suppressed"].mean()),
        float(rows["doubtful_words"].sum()) / words if words else None,
        float(rows["cues"].mean()),
        {m: float(rows[m].isna().mean()) for m in design.measures},
        word_errors=_word_errors(rows),
    )
    if not sheets or key is None:
        return bare
    calls = set(rows["call_id"])
    own = [{i: la for i, la in s.items() if key[i].call_id in calls} for s in sheets]
    named = {str(n): sheet for n, sheet in enumerate(own) if sheet}
    if not named:
        return bare
    against = agreement(named, key).against[-1]
    return replace(
        bare,
        recall=against.recall,
        precision=against.precision,
        same_answer=against.answered,
    )


def _word_errors(rows: Any) -> Estimate | None:
    """Return word errors over words, with calls drawn anew; None where nothing is written down."""
    if "written" not in rows or (known := rows.dropna(subset=["written"])).empty:
        return None
    misheard, written = (known[c].to_numpy(float) for c in ("misheard", "written"))

    def share(chosen: Any) -> float:
        return float(misheard[chosen].sum() / written[chosen].sum())

    return bootstrap(share, known["call_id"].tolist(), seed=1)


def _gaps(of: str, name: str, frame: Any, inside: Any, known: Any, design: Design) -> list[Gap]:
    """Return how far a group lies from the others whose group is known, thing by thing."""
    others = known & ~inside
    found = []
    for what in ("suppressed", *design.measures):
        lacks = frame["suppressed"] if what == "suppressed" else frame[what].isna()
        found.append(_gap(of, name, what, lacks.to_numpy(float), inside, others))
    if of != _SURE:  # how sure words are differs there by definition
        words = frame["word_count"].to_numpy(float)
        doubtful = frame["doubtful_words"].to_numpy(float) / np.maximum(words, 1.0)
        told = words > 0
        found.append(_gap(of, name, "doubtful", doubtful, inside & told, others & told))
    if "written" in frame:
        misheard, written = (frame[c].to_numpy(float) for c in ("misheard", "written"))
        found.append(word_error_gap(of, name, misheard, written, inside, others))
    return [gap for gap in found if gap is not None]


def _scripts(frame: Any, names: Any) -> Any | None:
    """Return the script of each call where every group has the same ones; else None.

    `warmline simulate --voices` plays a script once in each voice.
    """
    known = frame["script"].notna() & names.notna()
    table = frame[known].groupby([frame["script"][known], names[known]]).size().unstack()
    if len(table) < _LEAST_SCRIPTS or len(table.columns) < 2 or not (table == 1).all(axis=None):
        return None
    return frame["script"].where(known)


def _paired(of: str, frame: Any, names: Any, scripts: Any, design: Design) -> list[Gap]:
    """Return how far each group lies from the others in the same scripts, call by call."""
    words = frame["word_count"].clip(lower=1)
    things = {"suppressed": frame["suppressed"], "doubtful": frame["doubtful_words"] / words}
    things |= {m: frame[m].isna().astype(float) for m in design.measures}
    if "written" in frame:
        things["misheard"] = frame["misheard"] / frame["written"]
    found = []
    for what, lacks in things.items():
        table = lacks.astype(float).groupby([scripts, names]).mean().unstack()
        for name in table.columns:
            apart = (table[name] - table.drop(columns=name).mean(axis=1)).dropna().to_numpy()
            if len(apart) < _LEAST_SCRIPTS:
                continue
            mean, se = float(apart.mean()), float(apart.std(ddof=1)) / sqrt(len(apart))
            if se == 0:
                found.append(Gap(of, str(name), what, mean, mean, mean, 1.0 if mean == 0 else 0.0))
                continue
            low, high, p = t_interval(mean, se, float(len(apart) - 1), 0.95)
            found.append(Gap(of, str(name), what, mean, low, high, p))
    return found


def _gap(of: str, name: str, what: str, lacks: Any, inside: Any, others: Any) -> Gap | None:
    ours, theirs = lacks[inside], lacks[others]
    ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
    if len(ours) < _LEAST_CALLS or len(theirs) < _LEAST_CALLS:
        return None
    difference = float(ours.mean() - theirs.mean())
    if what == "doubtful":  # a mean of shares
        se = sqrt(ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs))
        half = _Z * se
        p = _p(difference, se)
        return Gap(of, name, what, difference, difference - half, difference + half, p)
    one, two = wilson(ours.sum(), len(ours)), wilson(theirs.sum(), len(theirs))
    if one is None or two is None or one.low is None or two.low is None:
        return None
    if one.high is None or two.high is None:
        return None
    # Newcombe 1998, method 10.
    low = difference - sqrt((one.value - one.low) ** 2 + (two.high - two.value) ** 2)
    high = difference + sqrt((one.high - one.value) ** 2 + (two.value - two.low) ** 2)
    pooled = (ours.sum() + theirs.sum()) / (len(ours) + len(theirs))
    se = sqrt(pooled * (1 - pooled) * (1 / len(ours) + 1 / len(theirs)))
    return Gap(of, name, what, difference, low, high, _p(difference, se))


def _p(difference: float, se: float) -> float:
    return 2 * NormalDist().cdf(-abs(difference) / se) if se > 0 else 1.0


def read_dif(
    warehouse: Path,
    design: Design,
    by: str | None,
    sheets: Sequence[Mapping[str, Label]],
    key: Mapping[str, Key],
) -> list[Dif]:
    """Return how the ledger reads each group of calls, by labels; groups as of `read_groups`."""
    frame = read_frame(warehouse, design, by).set_index("call_id")
    turns = labelled_turns(sheets, key)
    found = []
    for of, names in groupings(frame, by).items():
        group = turns["call_id"].map(names)
        known = turns[group.notna().to_numpy()]
        found += dif(of, known, group[group.notna()].to_numpy())
    p_values = corrected([d.p_corrected for d in found], Correction.HOLM)
    return [replace(d, p_corrected=p) for d, p in zip(found, p_values, strict=True)]
