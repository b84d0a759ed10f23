"""Whether groups are read alike, where people say what is true: words, feelings and answers.

Of words that people wrote down, how many are misheard (Koenecke et al. 2020). A group in which
fewer feelings are found may show fewer, so what the ledger says of labelled turns is set beside
what people say of them: a logit of the ledger's finding on the truth, the group, and both together
(logistic regression for differential item functioning, Swaminathan & Rogers 1990). Turns are drawn
by whether they are flagged; odds ratios do not depend on that (Prentice & Pyke 1979), so that they
are not weighed.
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from warmline.annotation import Key, Label, is_answered, opinion
from warmline.annotation.agreement import consensus
from warmline.database import open_for_reading
from warmline.errors import DataError, QueryError, SettingsError
from warmline.phrases import spoken_text
from warmline.research.design import Array
from warmline.research.regression import Estimate, t_interval

_LEAST_TURNS = 30
_BEYOND_BELIEF = 10.0
_LEVEL = 0.05
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
    log_odds: Estimate | None = None
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


def _ends(found: Estimate) -> tuple[float, float, float]:
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
    estimate = Estimate(value, se, df, *t_interval(value, se, df, 0.95))
    p_truth = float(both.pvalues[3]) if np.abs(both.params).max() < _BEYOND_BELIEF else None
    return replace(bare, log_odds=estimate, p_truth=p_truth, p_corrected=estimate.p)
