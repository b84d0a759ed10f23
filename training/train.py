"""Train the heads and adapters that ship with warmline, from public labelled texts.

    python training/train.py --data ../shared/data/text             # all of it
    python training/train.py --data ../shared/data/text emotions    # or only a part

Everything is seeded, but the weights depend on the processor, torch and the number of threads,
since sums are added in another order; README.md says how far figures move. MiniLM is taken from the
model store (`warmline models pull`). On one core without rest: 10 minutes for the emotions, 10 for
the mechanisms, 40 for the folds. What was learned is written into the package.
"""

import argparse
import csv
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sklearn.model_selection import GroupKFold
from tokenizers import Tokenizer
from torch import Tensor, nn

import goemotions
import mechanisms
import thresholds
from corpora import Comment, Pair, epitome
from corpora import goemotions as comments_of
from fitting import published
from network import AdaptedBert
from warmline.language.windows import LEVELS, MECHANISMS, adapter_file
from warmline.models import ModelStore
from warmline.models.engines import Engines
from warmline.settings import Settings

SEED = 1
EVERYTHING = ("emotions", "mechanisms", "folds", "thresholds")
FOLDS = 5
# Of GoEmotions' training part so many comments are kept aside, to choose thresholds on.
HELD_OUT = 4000
FOLDS_FILE = Path(__file__).with_name("epitome_folds.csv")


def main() -> None:
    """Train what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with goemotions, epitome")
    parser.add_argument("what", nargs="*", default=EVERYTHING, help=f"of {', '.join(EVERYTHING)}")
    chosen = parser.parse_args()
    weights, tokenizer = published(ModelStore.from_settings(Settings().places))
    if "emotions" in chosen.what:
        _, learning = split(comments_of(chosen.data / "goemotions", "train"))
        keep(trained_emotions(learning, weights, tokenizer), "emotions")
    pairs = epitome(chosen.data / "epitome")
    if "mechanisms" in chosen.what:
        keep(trained_mechanisms(pairs, weights, tokenizer), "mechanisms")
    if "folds" in chosen.what:
        cross_validate(pairs, weights, tokenizer)
    if "thresholds" in chosen.what:
        choose_thresholds(chosen.data, pairs)


def split(comments: Sequence[Comment]) -> tuple[list[Comment], list[Comment]]:
    """Comments kept aside, and those to learn from."""
    shuffled = list(comments)
    random.Random(7).shuffle(shuffled)
    return shuffled[:HELD_OUT], shuffled[HELD_OUT:]


def trained_emotions(
    comments: Sequence[Comment], weights: Path, tokenizer: Tokenizer
) -> goemotions.EmotionNetwork:
    """A network that hears emotions."""
    recipe = goemotions.RECIPE
    torch.manual_seed(SEED)
    bert = AdaptedBert(weights, recipe.rank, recipe.frozen)
    network = goemotions.EmotionNetwork(bert, recipe.dropout)
    goemotions.train(network, comments, tokenizer, recipe, SEED)
    return network


def trained_mechanisms(
    pairs: Sequence[Pair], weights: Path, tokenizer: Tokenizer
) -> mechanisms.MechanismNetwork:
    """A network that reads mechanisms of empathy; it goes on from the adapter of the emotions."""
    recipe = mechanisms.RECIPE
    torch.manual_seed(SEED)
    bert = AdaptedBert(weights, recipe.rank, recipe.frozen)
    bert.begin_with(load_file(adapter_file("emotions")))
    network = mechanisms.MechanismNetwork(bert, recipe.dropout)
    mechanisms.train(network, pairs, tokenizer, recipe, SEED)
    return network


def keep(network: nn.Module, name: str) -> None:
    """Write the adapter and the head, float16, into the package."""
    learned: dict[str, Tensor] = {k: v.contiguous() for k, v in network.bert.adapter().items()}
    learned["head.weight"] = network.head.weight.detach().half()
    learned["head.bias"] = network.head.bias.detach().half()
    save_file(learned, adapter_file(name))
    print(f"{adapter_file(name)}: {adapter_file(name).stat().st_size} bytes", flush=True)


def folds(pairs: Sequence[Pair]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(to learn from, to test on) for each fold; all pairs of one seeker are in one fold."""
    seekers = [pair.seeker_id for pair in pairs]
    cut = GroupKFold(FOLDS, shuffle=True, random_state=0)
    return list(cut.split(pairs, groups=seekers))


def cross_validate(pairs: Sequence[Pair], weights: Path, tokenizer: Tokenizer) -> None:
    """Probabilities of every pair from a network that did not learn from its seeker.

    They are written to `epitome_folds.csv`: ids, fold, and three probabilities a mechanism.
    """
    names = [f"{m}_{level}" for m in MECHANISMS for level in range(LEVELS)]
    rows: dict[int, list[object]] = {}
    for fold, (learning, testing) in enumerate(folds(pairs)):
        print(f"fold {fold}", flush=True)
        network = trained_mechanisms([pairs[i] for i in learning], weights, tokenizer)
        told = [(pairs[i].seeker, pairs[i].response) for i in testing]
        logits = torch.from_numpy(mechanisms.logits(network, told, tokenizer))
        for i, said in zip(testing, torch.softmax(logits, -1).flatten(1).tolist(), strict=True):
            rows[i] = [pairs[i].seeker_id, pairs[i].response_id, fold, *(f"{p:.4f}" for p in said)]
        with FOLDS_FILE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["seeker_id", "response_id", "fold", *names])
            writer.writerows(rows[i] for i in sorted(rows))


def choose_thresholds(data: Path, pairs: Sequence[Pair]) -> None:
    """From comments kept aside and from the cross-validation."""
    held_out, _ = split(comments_of(data / "goemotions", "train"))
    found = {
        "emotions": thresholds.of_emotions(held_out, Engines.from_settings(Settings())),
        "mechanisms": thresholds.of_mechanisms(pairs, FOLDS_FILE),
    }
    thresholds.write(found)
    print(found, flush=True)


if __name__ == "__main__":
    main()
