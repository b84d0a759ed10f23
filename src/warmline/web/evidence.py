"""Where a number of a call can be heard, also one that rests on all that a party said."""

from collections.abc import Sequence
from itertools import pairwise

from warmline.query.calls import CallPage
from warmline.web.warehouse import Row

#: How much is heard of what was said before an answer, and of the answer.
_AROUND_S = 1.5
_OF_FEELINGS = frozenset({"answered_rate", "opportunities_expected"})


def heard_in(page: CallPage, row: Row) -> Sequence[Row]:
    """Return the passages in which the value of a measure can be heard, in order of time.

    They are those that it names; else the feelings, silences or overlaps that it counts, the
    answers that it times, or the turns that it was taken from. None where nothing was found.
    """
    if row["evidence"] or row["value"] is None:
        return row["evidence"] or ()
    if row["name"] in _OF_FEELINGS:
        return page.opportunities
    if not row["value"]:
        return ()
    if row["name"] == "non_talk_s":
        return page.silences
    if row["name"] == "overlap_s":
        return page.overlaps
    if row["name"].startswith(("response_latency", "fto_")):
        return [
            {
                "start_s": max(0.0, before["end_s"] - _AROUND_S),
                "end_s": after["start_s"] + _AROUND_S,
            }
            for before, after in pairwise(page.turns)
            if before["party"] != after["party"] and row["party"] in (None, after["party"])
        ]
    return [turn for turn in page.turns if row["party"] in (None, turn["party"])]
