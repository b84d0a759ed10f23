"""The networks that tell who speaks when: of local speakers in a window, and of voices in a call.

`Segmentation` tells which of three local speakers are active when. Architecture: PyanNet, Bredin &
Laurent 2021, "End-to-end speaker segmentation for overlap-aware resegmentation" (arXiv:2104.04045),
after SincNet (Ravanelli & Bengio 2018, arXiv:1808.00158), as published in pyannote.audio (MIT,
`pyannote.audio.models.segmentation.PyanNet`). pyannote.audio loads all that it takes to train,
which is 300 MB and five seconds. Results are the same to the bit.

`CamPlusPlus` turns a segment of speech into an embedding that tells voices apart. Architecture:
Wang et al. 2023, "CAM++: a fast and efficient network for speaker verification using context-aware
masking" (arXiv:2303.00332), as published in 3D-Speaker (Apache-2.0,
github.com/modelscope/3D-Speaker, `speakerlab/models/campplus`).

Both are written anew for inference only; the names of modules are those of the published weights,
which load strictly. This module imports torch: only `warmline.models.engines` loads it.
"""

from collections import OrderedDict
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


DIMENSION = 192
MIN_FRAMES = 5
MIN_SAMPLES = 1_040  # of which 5 frames of 25 ms can be taken, 10 ms apart

_MEL_BINS = 80
_SPEECH_LEVEL_DB = -26.0
_CONTEXT_FRAMES = 100
_GROWTH = 32
_BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers, dilation


def filter_banks(waveforms: Tensor) -> Tensor:
    """Return the log mel filter bank of each waveform, 80 bands every 10 ms.

    `waveforms` is (batch, samples) at 16 kHz in -1..1; the result (batch, frames, 80), not yet
    mean-normalised.
    """
    import torchaudio.compliance.kaldi as kaldi

    banks = [
        kaldi.fbank(row[None], num_mel_bins=_MEL_BINS, sample_frequency=SAMPLE_RATE_HZ)
        for row in waveforms
    ]
    return torch.stack(banks)


class CamPlusPlus(nn.Module):
    """From filter banks (batch, frames, 80) to embeddings (batch, 192)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = _Head()
        channels = 128
        layers: list[tuple[str, nn.Module]] = [("tdnn", _tdnn(_Head.CHANNELS, channels))]
        for number, (depth, dilation) in enumerate(_BLOCKS, start=1):
            layers.append((f"block{number}", _DenseBlock(depth, channels, dilation)))
            channels += depth * _GROWTH
            layers.append((f"transit{number}", _transit(channels, channels // 2)))
            channels //= 2
        layers += [
            ("out_nonlinear", _batchnorm_relu(channels)),
            ("stats", _MeanAndDeviation()),
            ("dense", _dense(2 * channels, DIMENSION)),
        ]
        self.xvector = nn.Sequential(OrderedDict(layers))

    def forward(self, features: Tensor) -> Tensor:
        """Return embeddings of whole segments; `features` are mean-normalised over time."""
        embedding: Tensor = self.xvector(self.head(features.transpose(1, 2)))
        return embedding.squeeze(-1)


class CamPlusPlusEmbedding(nn.Module):
    """CAM++ as pyannote.audio's embeddings are called: waveforms in, embeddings out."""

    def __init__(self) -> None:
        super().__init__()
        self.network = CamPlusPlus()

    def forward(self, waveforms: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return embeddings (batch, 192) of waveforms (batch, 1, samples) at 16 kHz.

        What is heard is first brought to -26 dBFS, the level at which speech is tested (ITU-T
        P.56): the filter bank has a floor, so that else a voice would change with its loudness.
        `weights` (batch, any number of frames) is above 0.5 where the speaker is to be heard;
        without it all of a waveform is. The other frames are cut out before the network, whose
        context would else hear them; a row with fewer than 5 frames left is NaN. Raises ValueError
        when the waveforms themselves are shorter than 65 ms.
        """
        samples = waveforms[:, 0]
        if samples.shape[1] < MIN_SAMPLES:
            raise ValueError(f"{samples.shape[1]} samples; an embedding needs {MIN_SAMPLES}")
        if weights is None:
            return self._embed(filter_banks(_levelled(samples, torch.ones_like(samples))))
        features = filter_banks(_levelled(samples, _kept(weights, samples.shape[1])))
        kept = _kept(weights, features.shape[1])
        rows = [self._embed(row[mask][None]) for row, mask in zip(features, kept, strict=True)]
        return torch.cat(rows)

    def _embed(self, features: Tensor) -> Tensor:
        if features.shape[1] < MIN_FRAMES:
            return features.new_full((features.shape[0], DIMENSION), torch.nan)
        embedding: Tensor = self.network(features - features.mean(dim=1, keepdim=True))
        return embedding


def _kept(weights: Tensor, length: int) -> Tensor:
    """Return weights (batch, frames) as a mask of another length."""
    return F.interpolate(weights[:, None].float(), length)[:, 0] > 0.5


def _levelled(samples: Tensor, heard: Tensor) -> Tensor:
    """Return waveforms scaled so that what is heard has the speech level; silence as it is."""
    power = (samples.square() * heard).sum(1) / heard.sum(1).clamp_min(1)
    gain = 10 ** (_SPEECH_LEVEL_DB / 20) / power.sqrt()
    return samples * torch.where(power > 0, gain, 1.0)[:, None]


class _Head(nn.Module):
    """A small two-dimensional residual network that narrows 80 bands to 10."""

    CHANNELS = 32 * _MEL_BINS // 8

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.layer1 = nn.Sequential(_Residual(stride=2), _Residual(stride=1))
        self.layer2 = nn.Sequential(_Residual(stride=2), _Residual(stride=1))
        self.conv2 = nn.Conv2d(32, 32, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x[:, None])))
        x = self.layer2(self.layer1(x))
        return F.relu(self.bn2(self.conv2(x))).flatten(1, 2)


class _Residual(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(32, 32, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.shortcut = nn.Sequential()
        if stride != 1:
            narrow = nn.Conv2d(32, 32, 1, stride=(stride, 1), bias=False)
            self.shortcut = nn.Sequential(narrow, nn.BatchNorm2d(32))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class _DenseBlock(nn.ModuleDict):
    """Layers that each add `_GROWTH` channels to what all the earlier ones gave."""

    def __init__(self, depth: int, channels: int, dilation: int) -> None:
        super().__init__(
            {f"tdnnd{i + 1}": _DenseLayer(channels + i * _GROWTH, dilation) for i in range(depth)}
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.values():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class _DenseLayer(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        narrow = 4 * _GROWTH
        self.nonlinear1 = _batchnorm_relu(channels)
        self.linear1 = nn.Conv1d(channels, narrow, 1, bias=False)
        self.nonlinear2 = _batchnorm_relu(narrow)
        self.cam_layer = _ContextAwareMask(narrow, dilation)

    def forward(self, x: Tensor) -> Tensor:
        masked: Tensor = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))
        return masked


class _ContextAwareMask(nn.Module):
    """A convolution whose output is scaled by the context of the whole segment."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            channels, _GROWTH, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(channels, channels // 2, 1)
        self.linear2 = nn.Conv1d(channels // 2, _GROWTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        near = F.avg_pool1d(x, _CONTEXT_FRAMES, _CONTEXT_FRAMES, ceil_mode=True)
        near = near.repeat_interleave(_CONTEXT_FRAMES, dim=-1)[..., : x.shape[-1]]
        context = F.relu(self.linear1(x.mean(-1, keepdim=True) + near))
        mask: Tensor = torch.sigmoid(self.linear2(context))
        local: Tensor = self.linear_local(x)
        return local * mask


class _MeanAndDeviation(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(-1), x.std(-1)], dim=-1)[..., None]


def _batchnorm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(channels), relu=nn.ReLU()))


def _tdnn(channels_in: int, channels_out: int) -> nn.Sequential:
    conv = nn.Conv1d(channels_in, channels_out, 5, stride=2, padding=2, bias=False)
    return nn.Sequential(OrderedDict(linear=conv, nonlinear=_batchnorm_relu(channels_out)))


def _transit(channels_in: int, channels_out: int) -> nn.Sequential:
    conv = nn.Conv1d(channels_in, channels_out, 1, bias=False)
    return nn.Sequential(OrderedDict(nonlinear=_batchnorm_relu(channels_in), linear=conv))


def _dense(channels_in: int, channels_out: int) -> nn.Sequential:
    conv = nn.Conv1d(channels_in, channels_out, 1, bias=False)
    norm = nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(channels_out, affine=False)))
    return nn.Sequential(OrderedDict(linear=conv, nonlinear=norm))
