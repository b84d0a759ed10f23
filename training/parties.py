"""Learn who sounds like an agent: one linear layer over the network of feelings.

    python training/parties.py

Writes `networks/parties.safetensors` and its digest into `turns/behaviour.toml`. It learns from the
turns of `support_turns.txt` and `support_sets.txt` that are not held out, the lines of
`agent_lines.txt` and `service_lines.txt`, and the examples of the rules in `warmline/turns`; all of
them are our own text. After `feelings.py`, on whose vectors it rests. About a minute on two cores.
"""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression

import warmline.turns
from corpora import agent_lines, service_lines, support_dialogues
from warmline.language.feelings import MAX_TOKENS, NETWORK, PARTIES_HEAD, sentences_of
from warmline.language.windows import adapter_file
from warmline.models.engines import Engines
from warmline.settings import Settings

_RULES = Path(warmline.turns.__file__).parent
# The inverse strength of the regularisation, and how much lines count beside sentences of turns.
_C, _OF_LINES = 0.02, 0.5


@dataclass(frozen=True)
class Text:
    """A sentence, who says it, and how much it counts."""

    text: str
    is_agent: bool
    counts: float


def main() -> None:
    """Learn and write."""
    texts = [*turn_sentences(), *lines()]
    encoder = Engines.from_settings(Settings()).many_languages_encoder(adapter_file(NETWORK))
    vectors = encoder.texts([t.text for t in texts], MAX_TOKENS)
    weight, bias = learned(vectors, texts)
    path = adapter_file(PARTIES_HEAD)
    save_file({"head.weight": torch.tensor(weight), "head.bias": torch.tensor(bias)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    table = _RULES / "behaviour.toml"
    told = re.sub(r'(?m)^sha256 = "\w*"', f'sha256 = "{digest}"', table.read_text(encoding="utf-8"))
    table.write_text(told, encoding="utf-8")
    print(f"{len(texts)} sentences, {path}: {digest}", flush=True)


def turn_sentences() -> list[Text]:
    """Return the sentences of the dialogues that are not held out; a turn's count one together."""
    found = []
    for dialogue in support_dialogues():
        for turn in dialogue.turns if not dialogue.is_held_out else ():
            own = sentences_of(turn.text)
            found += [Text(text, turn.speaker == "agent", 1.0 / len(own)) for text in own]
    return found


def lines() -> list[Text]:
    """Return single lines of agents and customers, as they are and without marks."""
    found = [(text, True) for _, text in agent_lines()]
    found += [(line.text, False) for line in service_lines()]
    for file in (_RULES / "roles.toml", *sorted((_RULES / "languages").glob("*.toml"))):
        for rule in tomllib.loads(file.read_text(encoding="utf-8"))["rule"]:
            who = rule["id"].split(".")[0]
            if who in ("agent", "customer"):
                found += [(text, who == "agent") for text in rule["matches"]]
    share = {who: sum(is_agent is who for _, is_agent in found) for who in (True, False)}
    evened = {who: len(found) / (2.0 * many) for who, many in share.items()}
    return [Text(text, who, _OF_LINES * evened[who]) for text, who in found]


def learned(
    vectors: NDArray[np.float32], texts: list[Text]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the layer's weight (1, width) and bias, for vectors as they are."""
    middle, spread = vectors.mean(0), vectors.std(0)
    model = LogisticRegression(C=_C, max_iter=500).fit(
        (vectors - middle) / spread,
        [t.is_agent for t in texts],
        sample_weight=[t.counts for t in texts],
    )
    weight = np.asarray(model.coef_ / spread, np.float32)
    bias = np.asarray(model.intercept_ - weight @ middle, np.float32)
    return weight, bias


if __name__ == "__main__":
    main()
