"""Who sounds like an agent: the log-odds that a turn is an agent's rather than a customer's.

A linear layer reads the sentences of a turn as the network of `feelings.py` encodes them, in any of
its languages. It was learned by `training/parties.py` from text written for this project; what is
done with it is in `warmline.turns.roles`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from warmline.language.feelings import MAX_TOKENS, NETWORK
from warmline.language.heads import adapter_file, head
from warmline.language.windows import windows
from warmline.models.engines import Engines
from warmline.phrases import Spoken, spoken
from warmline.settings import LanguageSettings
from warmline.values import Turn

HEAD = "parties"
# The opening tells; the middle of a call is alike on both sides.
READ_TURNS = 16
# Of a long turn, its first sentences.
_READ_WINDOWS = 4


def party_reader(
    settings: LanguageSettings, engines: Engines
) -> Callable[[Sequence[Turn]], Mapping[int, float]] | None:
    """Return `agent_log_odds` with these engines; None where no model reads."""
    return partial(agent_log_odds, engines=engines) if settings.models else None


def agent_log_odds(turns: Sequence[Turn], engines: Engines) -> Mapping[int, float]:
    """Return the log-odds that each of the first turns is an agent's, by turn index.

    Turns without words have none. Raises `ModelError` when the network is not in the model store.
    """
    texts = {turn.index: sentences_of(turn.text) for turn in turns if turn.text.strip()}
    first = {index: texts[index] for index in list(texts)[:READ_TURNS] if texts[index]}
    told = list(dict.fromkeys(text for own in first.values() for text in own))
    if not told:
        return {}
    vectors = engines.many_languages_encoder(adapter_file(NETWORK)).texts(told, MAX_TOKENS)
    said = dict(zip(told, head(HEAD).logits(vectors)[:, 0].tolist(), strict=True))
    return {index: sum(said[t] for t in own) / len(own) for index, own in first.items()}


def sentences_of(text: str) -> list[str]:
    """Return the first sentences of a turn as they are read, short ones together."""
    written = tuple(text.split())
    said: Spoken = spoken(written)
    ranges = windows(said)[:_READ_WINDOWS]
    return [
        " ".join(written[said.sources[first] : said.sources[past - 1] + 1])
        for first, past in ranges
    ]
