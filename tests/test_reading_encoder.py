"""MiniLM as the language stage reads with it: the published vectors, and each text for itself."""

import json
import random
from itertools import accumulate

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from warmline.language.encoders import (
    TOKENS_PER_BATCH,
    Bert,
    Block,
    Known,
    ReadingEncoder,
    published_weights,
)
from warmline.language.windows import adapter_file
from warmline.models.catalogue import SENTENCES
from warmline.models.engines import Engines

pytestmark = pytest.mark.models

LENGTHS = (2, 3, 17, 64)


@pytest.fixture(scope="module")
def exact(engines: Engines) -> ReadingEncoder:
    """MiniLM as published, in float32 whatever the machine multiplies faster."""
    weights, tokenizer, config = (
        engines.store.path_of(SENTENCES, name)
        for name in ("model.safetensors", "tokenizer.json", "config.json")
    )
    return ReadingEncoder(weights, tokenizer, config, None, torch.device("cpu"), torch.float32)


def cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def texts_of_many_lengths(count: int) -> list[str]:
    random_ = random.Random(count)
    words = ("my", "order", "has", "not", "arrived", "so", "I", "waited", "what", "now")
    return [" ".join(random_.choices(words, k=random_.randrange(60))) for _ in range(count)]


def test_likeness_is_the_published_one(exact: ReadingEncoder) -> None:
    # The example of the model's page: one sentence, compared with three.
    vectors = exact.texts(
        [
            *("That is a happy person", "That is a happy dog"),
            *("That is a very happy person", "Today is a sunny day"),
        ],
        256,
    )
    assert (vectors.shape, vectors.dtype) == ((4, 384), np.float32)
    assert cosines(vectors)[0, 1:] == pytest.approx([0.695, 0.943, 0.257], abs=1e-3)


def test_a_text_means_the_same_in_any_company(exact: ReadingEncoder) -> None:
    texts = texts_of_many_lengths(80)
    assert sum(len(text.split()) for text in texts) > TOKENS_PER_BATCH
    together = exact.texts(texts, 256)[::16]
    alone = np.concatenate([exact.texts([text], 256) for text in texts[::16]])
    assert np.allclose(together, alone, atol=1e-5)
    pairs = list(zip(texts[::-1], texts, strict=True))[:40]
    together = exact.pairs(pairs, 8, 64)[::8]
    alone = np.concatenate([exact.pairs([pair], 8, 64) for pair in pairs[::8]])
    assert np.allclose(together, alone, atol=1e-5)


def test_what_two_networks_read_together_is_what_each_reads(engines: Engines) -> None:
    emotions, published = (engines.reading_encoder(a) for a in (adapter_file("emotions"), None))
    texts = texts_of_many_lengths(80)
    known: Known = {}
    together = emotions.texts(texts, 64, also=(published, texts[::3], known))
    assert len(known) == len(set(texts[::3]))
    assert np.allclose(together, emotions.texts(texts, 64), atol=1e-2)
    before = dict(known)
    shared = published.texts(texts[::3], 64, known)
    assert known.keys() == before.keys()  # nothing is left to read
    assert np.allclose(shared, published.texts(texts[::3], 64), atol=1e-2)


def test_of_a_context_the_end_is_read_and_of_a_text_the_beginning(exact: ReadingEncoder) -> None:
    assert exact.texts([], 64).shape == (0, 384)
    assert exact.pairs([], 8, 8).shape == (0, 768)
    cut, endless = exact.texts(["yes " * 62, "yes " * 5000], 64)
    assert np.allclose(cut, endless, atol=1e-5)
    short, long = exact.pairs(
        [("late again", "so sorry"), ("hello " * 90 + "late again", "so sorry")], 2, 64
    )
    assert np.allclose(short, long, atol=1e-5)
    short, long = exact.pairs([("late", "so sorry"), ("late", "so sorry about that")], 64, 2)
    assert np.allclose(short, long, atol=1e-5)


def test_the_answer_comes_first_and_then_all(exact: ReadingEncoder) -> None:
    context, text = "my train was late", "that is a pity"
    own, both = np.split(exact.pairs([(context, text)], 64, 64)[0], 2)
    hidden = exact.pairs([("", text)], 64, 64)[0]
    assert not np.allclose(own, hidden[:384], atol=1e-2)  # it is heard in the light of the context
    turned = exact.pairs([(text, context)], 64, 64)[0]
    assert not np.allclose(both, turned[384:], atol=1e-2)  # and which is the answer is known


def test_numbers_that_the_machine_multiplies_faster_mean_the_same(
    exact: ReadingEncoder, engines: Engines
) -> None:
    texts = [text or "hello" for text in texts_of_many_lengths(20)]
    both = np.concatenate([exact.texts(texts, 64), engines.reading_encoder().texts(texts, 64)])
    assert (np.diag(cosines(both), len(texts)) > 0.999).all()


def test_the_network_is_torchs_own_encoder_without_its_padding(engines: Engines) -> None:
    config = json.loads(engines.store.path_of(SENTENCES, "config.json").read_text("utf-8"))
    state = published_weights(engines.store.path_of(SENTENCES, "model.safetensors"))
    ours = Bert(config)
    ours.load_state_dict(state)
    drawn = torch.Generator().manual_seed(1)
    blocks = [
        Block(
            torch.randint(1000, 20_000, (rows, length), generator=drawn),
            (torch.arange(length) >= length // 2).long().repeat(rows, 1),
        )
        for rows, length in enumerate(LENGTHS, 1)
    ]
    with torch.inference_mode():
        got = ours.eval()(blocks)
        expected = padded(ours, torchs_own(config, state), blocks)
    for own, theirs in zip(got, expected, strict=True):
        assert torch.allclose(own, theirs[:, : own.shape[1]], atol=1e-5)


def test_attention_of_any_strength_is_a_mean() -> None:
    sizes = {
        "hidden_size": 8,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "layer_norm_eps": 0,
    }
    config = {**sizes, "vocab_size": 9, "max_position_embeddings": 4, "type_vocab_size": 1}
    network = Bert({**config, "num_hidden_layers": 1}).requires_grad_(False)
    block = Block(torch.tensor([[1, 2, 3], [4, 4, 4]]), torch.zeros(2, 3, dtype=torch.long))
    network.layers[0].self_attn["in_proj"].weight *= 1000.0
    assert torch.isfinite(network([block])[0]).all()


def torchs_own(config: dict[str, int], state: dict[str, Tensor]) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        config["hidden_size"],
        config["num_attention_heads"],
        config["intermediate_size"],
        activation="gelu",
        layer_norm_eps=config["layer_norm_eps"],
        batch_first=True,
    )
    encoder = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)
    names = {k.replace("in_proj.", "in_proj_"): v for k, v in state.items() if "layers." in k}
    encoder.load_state_dict(names)
    return encoder.eval()


def padded(bert: Bert, encoder: nn.TransformerEncoder, blocks: list[Block]) -> list[Tensor]:
    """What torch's encoder says of all blocks as one batch, padded; a block's rows each."""
    rows, longest = sum(len(b.tokens) for b in blocks), max(LENGTHS)
    tokens, segments = torch.zeros(2, rows, longest, dtype=torch.long)
    is_padding = torch.ones(rows, longest, dtype=torch.bool)
    ends = list(accumulate(len(b.tokens) for b in blocks))
    for end, block in zip(ends, blocks, strict=True):
        here = (slice(end - len(block.tokens), end), slice(block.tokens.shape[1]))
        tokens[here], segments[here], is_padding[here] = *block, False
    x = bert.words(tokens) + bert.positions.weight[:longest] + bert.segments(segments)
    hidden = encoder(bert.norm(x), src_key_padding_mask=is_padding)
    return [hidden[end - len(b.tokens) : end] for end, b in zip(ends, blocks, strict=True)]
