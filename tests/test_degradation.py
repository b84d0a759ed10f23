"""The bench of what a telephone does: each way spoils what it says it spoils, and nothing else."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from support.factories import call as analysis_of

RATE_HZ = 8000


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    pytest.importorskip("pyannote.metrics", reason="the `bench` extra is not installed")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    yield importlib.import_module("degradation")


@pytest.fixture
def call() -> np.ndarray:
    """Two channels of four seconds: bursts of noise in turn, filtered like speech."""
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 1, (2, 4 * RATE_HZ))
    sound = sum(np.roll(sound, n, axis=1) for n in range(6)) / 30
    second = np.arange(sound.shape[1]) // RATE_HZ
    return sound * np.stack([second % 2 == 0, second % 2 == 1])


def test_every_way_keeps_the_length_and_the_same_seed_gives_the_same_copy(bench, call) -> None:
    for way in bench.ways():
        once, again = way.apply(call, call), way.apply(call, call)
        assert once.channels.shape == call.shape, way.name
        assert np.array_equal(once.channels, again.channels), way.name
        assert np.isfinite(once.channels).all(), way.name
        if way.name not in ("as recorded",):
            assert not np.array_equal(once.channels, call), way.name


@pytest.mark.parametrize(
    ("codec", "bit_rate", "likeness"),
    [("pcm_alaw", None, 0.999), ("libopus", 8000, 0.6), ("libopencore_amrnb", 4750, 0.3)],
)
def test_a_codec_takes_its_toll_and_no_time(bench, call, codec, bit_rate, likeness) -> None:
    coded = bench.through_codec(call, codec, bit_rate)
    for before, after in zip(call, coded, strict=True):
        assert likeness < np.corrcoef(before, after)[0, 1] < 1
        shifted = [np.corrcoef(before, np.roll(after, n))[0, 1] for n in (-40, 40)]
        assert np.corrcoef(before, after)[0, 1] > max(shifted)


def test_packets_are_lost_at_the_rate_that_is_said(bench) -> None:
    lost = bench.lossy(np.ones((2, 100 * RATE_HZ)), 0.1)
    assert 1 - lost.mean() == pytest.approx(0.1, abs=0.01)
    frames = lost.reshape(2, -1, RATE_HZ // 50)
    assert set(np.unique(frames.mean(axis=2))) == {0.0, 1.0}
    assert not np.array_equal(lost[0], lost[1])


def test_noise_lies_so_far_below_the_speech(bench, call) -> None:
    noise = bench.hum(call.shape[1])
    added = bench.with_noise(call, noise, 10) - call
    for channel, own in zip(call, added, strict=True):
        ratio = bench.speech_power(channel) / (own**2).mean()
        assert 10 * np.log10(ratio) == pytest.approx(10)


def test_levels_clipping_and_leaks_are_those_that_are_said(bench, call) -> None:
    assert np.abs(bench.at_level(call, -20)).max() == pytest.approx(0.1)
    clipped = bench.clipped(call, 20)
    assert np.abs(clipped).max() == pytest.approx(np.abs(call).max())
    assert (np.abs(clipped) == np.abs(clipped).max()).mean() > 0.05
    late = bench.leaking(call, 20, 0.15) - call
    assert np.allclose(late[0, 1200:], call[1, :-1200] / 10)
    assert not late[0, :1200].any()


def test_what_a_dead_channel_does_not_carry_is_not_asked_for(bench, call) -> None:
    scoring = importlib.import_module("scoring")
    turns = (
        {"speaker": "agent", "start": 0.0, "end": 1.0, "text": "hello"},
        {"speaker": "caller", "start": 2.5, "end": 3.0, "text": "hi"},
        {"speaker": "agent", "start": 3.0, "end": 4.0, "text": "bye"},
    )
    spoilt = bench.silenced(call, 1, 2.0, 4.0)
    assert not spoilt.channels[1, 2 * RATE_HZ :].any()
    assert np.array_equal(spoilt.channels[0], call[0])
    left = bench.truth_after(scoring.Truth("a", turns, 4.0), spoilt)
    assert [t["text"] for t in left.turns] == ["hello", "hi"]


def test_words_and_parties_of_an_analysis_are_written_for_scoring(bench, tmp_path) -> None:
    says = [("B", 0.0, 1.0, "good morning"), ("A", 1.5, 2.5, "i lost my card")]
    bench.write_files(Path("a.wav"), *bench.found_in(analysis_of("a", says=says)), tmp_path)
    written = json.loads((tmp_path / "a.seglst.json").read_text())
    assert [(w["speaker"], w["words"].strip()) for w in written] == [
        (party, word) for party, _, _, text in says for word in text.split()
    ]
    lines = [line.split() for line in (tmp_path / "a.rttm").read_text().splitlines()]
    spoken = sorted((float(line[3]), float(line[4]), line[7]) for line in lines)
    assert spoken == [(0.0, 1.0, "B"), (1.5, 1.0, "A")]


def test_without_a_gpu_the_bench_of_the_gpu_says_so(bench, monkeypatch, capsys, tmp_path) -> None:
    gpu = importlib.import_module("gpu")
    if gpu.card() is not None:
        pytest.skip("there is a GPU here")
    monkeypatch.setattr("sys.argv", ["gpu.py", str(tmp_path), "--to", str(tmp_path / "r.md")])
    assert gpu.main() == 0
    assert "sees no GPU here: nothing was measured" in capsys.readouterr().out
    assert not (tmp_path / "r.md").exists()
