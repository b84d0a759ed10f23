"""What measuring prosody costs, of one long call."""

import time
import tracemalloc

import numpy as np

from support.conversations import conversation_of, speech_of, words_of
from support.voices import said
from warmline.prosody import measure
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.settings import ProsodySettings
from warmline.values import ChannelLayout, Conversation, RoleName, Speech, Transcript

SETTINGS = ProsodySettings()
STEREO = ChannelLayout("stereo", 2, 0.1, "two channels")
ROLES = {"A": RoleName.CUSTOMER, "B": RoleName.AGENT}


def long_call(minutes: float) -> tuple[Sound, Speech, Transcript, Conversation]:
    one = np.stack([said(hz, 2.6) for hz in (210.0, 110.0)])
    n = round(minutes * 60 / 6.4)
    pcm = np.zeros((2, round(n * 6.4 * SAMPLE_RATE_HZ)), np.int16)
    times: dict[str, list[tuple[float, float]]] = {"A": [], "B": []}
    for i in range(n):
        for channel, party in enumerate("AB"):
            start_s = 6.4 * i + 3.2 * channel
            first = round(start_s * SAMPLE_RATE_HZ)
            pcm[channel, first : first + one.shape[1]] = np.round(one[channel] * 50_000)
            times[party].append((start_s, start_s + 2.6))
    speech = speech_of(times)
    return Sound(pcm, 8_000, "synthetic"), speech, words_of(), conversation_of(speech, roles=ROLES)


def test_prosody_is_faster_than_150_times_real_time_on_one_core():
    sound, speech, transcript, conversation = long_call(10)
    measure(*(long_call(0.5)[0], STEREO, *long_call(0.5)[1:], SETTINGS))  # imports
    before = time.process_time()
    measure(sound, STEREO, speech, transcript, conversation, SETTINGS)
    assert sound.duration_s / (time.process_time() - before) > 150


def test_memory_grows_by_less_than_30_kb_for_a_second_of_call():
    def peak_kb(minutes: float) -> float:
        sound, *rest = long_call(minutes)
        tracemalloc.start()
        measure(sound, STEREO, *rest, SETTINGS)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak / 1024

    assert (peak_kb(9) - peak_kb(3)) / 360 < 30
