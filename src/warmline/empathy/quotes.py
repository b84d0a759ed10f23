"""The customer's own words, verbatim, for reading."""

from collections.abc import Sequence

from warmline.analysis import Moment, Quote
from warmline.settings import EmpathySettings
from warmline.values import RoleName


def quotes(moments: Sequence[Moment], settings: EmpathySettings) -> tuple[Quote, ...]:
    """The customer's sentences around cues, complaints, friction and relief, in order of time.

    `cue` is the feeling, or the kind of moment, that makes the sentence worth reading.
    """
    return tuple(
        Quote(m.start_s, m.end_s, m.turn_index, m.text, m.label or m.kind)
        for m in moments
        if m.kind == "quote"
        and m.role is RoleName.CUSTOMER
        and m.strength >= settings.min_cue_strength
    )
