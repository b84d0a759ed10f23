"""Learn to hear feelings in customers' sentences: adapters of multilingual-e5-small.

    python training/feelings.py --data ../shared/data/text

Writes `networks/feelings.safetensors`: low-rank adapters of the upper four of twelve layers, and
one linear head. It learns from GoEmotions, XED (English and eleven languages), the customers' turns
of `support_turns.txt` and `support_sets.txt` that are not held out, and `service_lines.txt`.
Nothing is learned from labelled talk of service by others. A first network learns in one pass over
much film and Reddit; two others go on from it with more service; the mean of all three is kept
(Wortsman et al. 2022, arXiv:2109.01903). About 25 minutes on two cores.
"""

import argparse
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from augment import as_spoken
from corpora import (
    ServiceLine,
    goemotions,
    service_lines,
    support_dialogues,
    xed,
    xed_neutral,
)
from fitting import Batch, Example, Recipe, fit, padded
from network import WIDTH, AdaptedBert, AdaptedLayer
from train import split
from warmline.language.e5 import (
    E5File,
    E5Tokenizer,
    e5_weights,
    expanded_words,
    read_e5,
)
from warmline.language.feelings import HEADS
from warmline.language.rulebook import CUE_LABELS
from warmline.language.windows import FEELINGS, adapter_file
from warmline.models import ModelStore
from warmline.models.catalogue import MANY_LANGUAGES
from warmline.settings import Settings

SEED = 1
RECIPE = Recipe(epochs=1.0, tokens_per_batch=1600, rate=1.5e-3, rank=8, frozen=8)
REFINING = Recipe(epochs=1.5, tokens_per_batch=1200, rate=8e-4, rank=8, frozen=8)
LAYERS = 12
MAX_TOKENS = 48
# Of the lines that are learned from while refining, as many are written without marks.
_BARE_SHARE = 0.4
_JOINED = 500
_UNKNOWN = float("nan")
_MARKS = re.compile(r"[^\w' ]+")
_SAMPLE = 600


@dataclass(frozen=True)
class Mix:
    """How many comments, lines of films in English and in each other language are learned from."""

    comments: int
    english: int
    neutral: int
    of_each_language: int


FIRST = Mix(4500, 2000, 1200, 350)
# Seed -> what a network that goes on from the first one learns from.
REFINED = {11: Mix(1100, 500, 300, 50), 12: Mix(900, 800, 400, 130)}


@dataclass(frozen=True)
class Row:
    """A text, for each of `HEADS` 1, 0 or unknown, and how much each counts."""

    text: str
    wanted: tuple[float, ...]
    counts: tuple[float, ...]


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with goemotions, xed")
    file = read_e5(ModelStore.from_settings(Settings().places).path_of(MANY_LANGUAGES))
    data = parser.parse_args().data
    first = kept(learned(file, rows_to_learn_from(data, random.Random(SEED)), RECIPE, SEED))
    refined = [
        kept(
            learned(
                file, rows_to_refine_with(data, mix, random.Random(seed)), REFINING, seed, first
            )
        )
        for seed, mix in REFINED.items()
    ]
    write(mean_of([first, *refined]), adapter_file("feelings"))


def rows_to_learn_from(data: Path, random_: random.Random) -> list[Row]:
    """Return what the first network learns from, public text first."""
    invented = [*_turns(), *_lines(), *_lines()]
    bare = [Row(_bare(r.text), r.wanted, r.counts) for r in invented]
    return public_rows(data, FIRST, random_) + invented + bare


def rows_to_refine_with(data: Path, mix: Mix, random_: random.Random) -> list[Row]:
    """Return what a network that goes on learns from, in random order: more service, less film."""
    invented = [*_turns(), *_lines(), *_lines(), *_joined(_JOINED, random_)]
    service = [
        Row(_bare(r.text), r.wanted, r.counts) if random_.random() < _BARE_SHARE else r
        for r in invented
    ]
    rows = public_rows(data, mix, random_) + service
    random_.shuffle(rows)
    return rows


def public_rows(data: Path, mix: Mix, random_: random.Random) -> list[Row]:
    """Return comments of GoEmotions and lines of films."""
    rows: list[Row] = []
    _, learning = split(goemotions(data / "goemotions", "train"))
    for comment in random_.sample(learning, mix.comments):
        kinds = [float(bool(comment.emotions & FEELINGS[kind])) for kind in CUE_LABELS]
        felt = float(any(kinds[:3]))
        text = as_spoken(comment.text, random_)
        rows.append(Row(text, (felt, felt, *kinds), (1.0, 0.5, 1.0, 1.0, 1.0, 1.0)))
    for code, lines in xed(data / "xed").items():
        many = mix.english if code == "en" else mix.of_each_language
        rows += [_film(line.text, line.feelings) for line in random_.sample(lines, many)]
    neutral = random_.sample(xed_neutral(data / "xed"), mix.neutral)
    return rows + [_film(text, frozenset()) for text in neutral]


def _film(text: str, feelings: frozenset[str]) -> Row:
    kinds = [float(kind in feelings) for kind in CUE_LABELS[:3]]
    felt = float(any(kinds))
    return Row(text, (felt, felt, *kinds, _UNKNOWN), (0.7, 0.35, 0.7, 0.7, 0.7, 0.0))


def _turns() -> list[Row]:
    found = []
    for dialogue in support_dialogues():
        for turn in dialogue.turns if not dialogue.is_held_out else ():
            if turn.speaker != "customer":
                continue
            known = bool(turn.feelings) or not turn.level
            kinds = [float(k in turn.feelings) if known else _UNKNOWN for k in CUE_LABELS]
            felt = _UNKNOWN if turn.level else 0.0
            wanted = (felt, float(turn.level > 0), *kinds)
            found.append(Row(turn.text, wanted, (0.5, 2.0, 1.0, 1.0, 1.0, 1.0)))
    return found


def _lines() -> list[Row]:
    return [_service_row(line.label, line.text) for line in service_lines()]


def _joined(count: int, random_: random.Random) -> list[Row]:
    """Return turns of two or three lines of one language, most of them plain."""
    by_language: dict[str, list[ServiceLine]] = {}
    for line in service_lines():
        by_language.setdefault(line.language, []).append(line)
    languages = ["en"] * 4 + ["pt", "de", "es", "fr", "it", "nl"]
    found = []
    for _ in range(count):
        lines = by_language[random_.choice(languages)]
        plain = [line for line in lines if line.label == "plain"]
        own = [
            random_.choice(lines if random_.random() < 0.4 else plain)
            for _ in range(random_.choice((2, 2, 3)))
        ]
        labels = {line.label for line in own}
        label = next(name for name in ("feeling", "trouble", "plain") if name in labels)
        ended = [
            line.text if line.text[-1] in ".?!" or random_.random() < 0.5 else f"{line.text}."
            for line in own
        ]
        found.append(_service_row(label, " ".join(ended)))
    return found


def _service_row(label: str, text: str) -> Row:
    kinds = (0.0 if label == "plain" else _UNKNOWN,) * len(CUE_LABELS)
    wanted = (float(label == "feeling"), float(label != "plain"), *kinds)
    return Row(text, wanted, (2.0, 3.0, 0.5, 0.5, 0.5, 0.5))


def _bare(text: str) -> str:
    """As a recogniser without marks would write it."""
    return _MARKS.sub(" ", text.lower()).strip()


class AdaptedE5(AdaptedBert):
    """multilingual-e5-small with adapters on its upper layers."""

    def __init__(self, file: E5File, recipe: Recipe) -> None:
        nn.Module.__init__(self)
        published = e5_weights(file)
        self.frozen = recipe.frozen
        self.published = {k: v for k, v in published.items() if not k.startswith("layers.")}
        self.published["words.weight"] = expanded_words(file)
        self.layers = nn.ModuleList(AdaptedLayer(published, i, recipe.rank) for i in range(LAYERS))
        for layer in self.layers[: self.frozen]:
            layer.requires_grad_(False)


class FeelingNetwork(nn.Module):
    """Means of the token vectors, brought to one scale; a logit for each of `HEADS`."""

    def __init__(self, bert: AdaptedE5, dropout: float) -> None:
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(WIDTH, len(HEADS))
        self.middle: Tensor
        self.spread: Tensor
        self.register_buffer("middle", torch.zeros(WIDTH))
        self.register_buffer("spread", torch.ones(WIDTH))

    def means(self, batch: Batch) -> Tensor:
        """Means (texts, width)."""
        hidden = self.bert(batch.tokens, torch.zeros_like(batch.tokens), batch.is_token).float()
        is_token = batch.is_token[..., None]
        return (hidden * is_token).sum(1) / is_token.sum(1)

    def forward(self, batch: Batch) -> Tensor:
        return self.head(self.dropout((self.means(batch) - self.middle) / self.spread))


def learned(
    file: E5File,
    rows: Sequence[Row],
    recipe: Recipe,
    seed: int,
    start: Mapping[str, Tensor] | None = None,
) -> FeelingNetwork:
    """Return a network that has learned from these rows, going on from `start` if it is given."""
    torch.manual_seed(seed)
    network = FeelingNetwork(AdaptedE5(file, recipe), recipe.dropout)
    cut = E5Tokenizer(file)
    pieces = cut([f"query: {row.text}" for row in rows])
    examples = []
    for row, own in zip(rows, pieces, strict=True):
        ids = (cut.first, *own[: MAX_TOKENS - 2], cut.last)
        examples.append(Example(ids, (0,) * len(ids), row))
    if start:
        network.bert.begin_with(dict(start))
    some = random.Random(seed).sample(examples, min(_SAMPLE, len(examples)))
    with torch.no_grad():
        means = torch.cat([network.means(padded([one])) for one in some])
    network.middle.copy_(means.mean(0))
    network.spread.copy_(means.std(0))
    if start:  # the head of `start` reads the means as they are
        weight = start["head.weight"].float()
        network.head.weight.data.copy_(weight * network.spread)
        network.head.bias.data.copy_(start["head.bias"].float() + weight @ network.middle)
    fit(network, lambda _: examples, lambda batch: _loss(network, batch), recipe, seed)
    return network


def _loss(network: FeelingNetwork, batch: Batch) -> Tensor:
    rows = [row for row in batch.targets if isinstance(row, Row)]
    wanted = torch.tensor([row.wanted for row in rows])
    counts = torch.tensor([row.counts for row in rows]) * ~wanted.isnan()
    losses = nn.functional.binary_cross_entropy_with_logits(
        network(batch), wanted.nan_to_num(), reduction="none"
    )
    return (losses * counts).sum() / len(rows)


def kept(network: FeelingNetwork) -> dict[str, Tensor]:
    """Return adapters and head; the head reads the means as they are."""
    stored: dict[str, Tensor] = {k: v.contiguous() for k, v in network.bert.adapter().items()}
    weight = network.head.weight.detach() / network.spread
    stored["head.weight"] = weight.contiguous()
    stored["head.bias"] = (network.head.bias.detach() - weight @ network.middle).contiguous()
    return stored


def mean_of(networks: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the network whose weights are the means: the ranks of the adapters add up."""
    share = 1.0 / len(networks)
    found: dict[str, Tensor] = {}
    for name in networks[0]:
        own = [network[name].float() for network in networks]
        if name.endswith(".up"):
            found[name] = torch.cat([share * up for up in own], 1).half().contiguous()
        elif name.endswith(".down"):
            found[name] = torch.cat(own, 0).half().contiguous()
        else:
            found[name] = (share * torch.stack(own).sum(0)).contiguous()
    return found


def write(network: Mapping[str, Tensor], path: Path) -> None:
    """Write a network."""
    save_file(dict(network), path)
    print(f"{path}: {path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
