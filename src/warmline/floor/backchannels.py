"""Backchannels, from the sound: short activity of one party inside another's turn."""

from collections.abc import Mapping, Sequence

from warmline.analysis import Backchannel
from warmline.floor.cooperation import Said
from warmline.floor.heard import PartyTurns
from warmline.settings import FloorSettings
from warmline.turns.listening import only_listens
from warmline.values import Span, Turn


def backchannels_of(
    talk: Mapping[str, Sequence[Span]],
    turns: Sequence[Turn],
    said: Mapping[str, Said],
    *,
    words_refuse: bool,
    settings: FloorSettings,
) -> tuple[Backchannel, ...]:
    """Every backchannel in order of time, over the holder's speech or in a pause of it.

    Recognised words can only refuse (`words_refuse`): "I'm so sorry" is short, and more than
    listening. `text` is None where no word was recognised. Speech that belongs to a longer turn of
    the same party is the beginning or the end of that.
    """
    turns_of = {party: PartyTurns(party, turns) for party in talk}
    found: list[Backchannel] = []
    for party, spans in talk.items():
        others = [turns_of[p] for p in talk if p != party]
        for span in spans:
            own = turns_of[party].holding(span)
            if own.duration_s > settings.backchannel_max_s:
                continue
            if not any(other.runs_through(span) for other in others):
                continue
            words = said[party].between(span.start_s, span.end_s)
            if only_listens(words) or not words_refuse:
                text = " ".join(w.strip() for w in words) or None
                found.append(Backchannel(span.start_s, span.end_s, party, text))
    return tuple(sorted(found, key=lambda b: (b.start_s, b.end_s, b.party)))
