"""PyanNet, the network that tells which of three local speakers are active when.

Architecture: Bredin & Laurent 2021, "End-to-end speaker segmentation for overlap-aware
resegmentation" (arXiv:2104.04045), after SincNet (Ravanelli & Bengio 2018, arXiv:1808.00158), as
published in pyannote.audio (MIT, `pyannote.audio.models.segmentation.PyanNet`). Written anew for
inference only: pyannote.audio loads all that it takes to train, which is 300 MB and five seconds.
Results are the same to the bit; the names of modules are those of the published weights, which load
strictly.

This module imports torch: only `warmline.models.engines` loads it.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name all of torch's users know)
from asteroid_filterbanks import Encoder, ParamSincFB
from torch import Tensor, nn

SAMPLE_RATE_HZ = 16_000
_SETS = 7  # of at most two of three speakers


class Segmentation(nn.Module):
    """From waveforms (batch, 1, samples) to log-probabilities of sets of speakers.

    Their shape is (batch, frames, 7). `sincnet`, `lstm` and `linear` are the published file's own
    hyper-parameters.
    """

    def __init__(
        self, sincnet: Mapping[str, Any], lstm: Mapping[str, Any], linear: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.sincnet = _SincNet(sincnet["stride"])
        size, layers = lstm["hidden_size"], lstm["num_layers"]
        self.lstm = nn.LSTM(60, size, layers, batch_first=True, bidirectional=lstm["bidirectional"])
        wide = [size * (2 if lstm["bidirectional"] else 1)]
        wide += [linear["hidden_size"]] * linear["num_layers"]
        self.linear = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(wide))
        self.classifier = nn.Linear(wide[-1], _SETS)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the log-probability of each set in each frame."""
        states, _ = self.lstm(self.sincnet(waveforms).transpose(1, 2))
        for linear in self.linear:
            states = F.leaky_relu(linear(states))
        return F.log_softmax(self.classifier(states), dim=-1)


class _SincNet(nn.Module):
    """Band-pass filters with learned edges, then two convolutions, each pooled and normalised."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        filters = ParamSincFB(80, 251, stride=stride, sample_rate=SAMPLE_RATE_HZ)
        self.wav_norm1d = nn.InstanceNorm1d(1, affine=True)
        self.conv1d = nn.ModuleList(
            [Encoder(filters), nn.Conv1d(80, 60, 5, stride=1), nn.Conv1d(60, 60, 5, stride=1)]
        )
        self.norm1d = nn.ModuleList(nn.InstanceNorm1d(n, affine=True) for n in (80, 60, 60))

    def forward(self, waveforms: Tensor) -> Tensor:
        # One by one what is computed of a waveform stays in a core's cache.
        return torch.cat([self._features(one) for one in waveforms[:, None]])

    def _features(self, waveforms: Tensor) -> Tensor:
        x: Tensor = self.wav_norm1d(waveforms)
        for number, (conv, norm) in enumerate(zip(self.conv1d, self.norm1d, strict=True)):
            x = conv(x)
            if number == 0:
                x = torch.abs(x)
            x = F.leaky_relu(norm(F.max_pool1d(x, 3, stride=3)))
        return x
