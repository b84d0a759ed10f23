"""Decode a part of a recording alone: seek to a little before it, and stop after it."""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmline.errors import RecordingRefusedError
from warmline.recordings.sound import SAMPLE_RATE_HZ, FrameWriter, opened
from warmline.settings import RecordingSettings

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

#: Containers in which FFmpeg finds a sample by its number; elsewhere it can only guess.
_SEEKABLE = {"wav", "w64", "aiff", "au", "flac", "mp3", "ogg", "mov,mp4,m4a,3gp,3g2,mj2"}
_PROBED_BYTES = 65_536  # the 5 MB of `decode` take longer than decoding the part
_BEFORE_S = 1.0  # decoders and the resampler need something before what is right
_AFTER_S = 0.2
_MOST_CHANNELS = 2  # PyAV crashes on the planes of eight
_END_MISSING_S = 0.1  # how much less than promised the end may have


def decode_between(
    path: Path, settings: RecordingSettings, first: int, past: int
) -> NDArray[np.int16] | None:
    """Return the samples from `first` until before `past` of what `decode` would return.

    No more than these and a second around them is decoded. None where that cannot be done to the
    sample: in containers without an exact index, with more than two channels, or where something
    is damaged; `decode` says what.
    """
    import av

    try:
        with opened(path, settings, _PROBED_BYTES) as (container, stream, _):
            if container.format.name not in _SEEKABLE:
                return None
            return _decoded_between(path.name, settings, container, stream, first, past)
    except (av.error.FFmpegError, RecordingRefusedError, IndexError):
        return None


def _decoded_between(
    name: str,
    settings: RecordingSettings,
    container: "InputContainer",
    stream: "AudioStream",
    first: int,
    past: int,
) -> NDArray[np.int16] | None:
    origin = next(container.decode(stream), None)
    begins = None if origin is None else _time_s(origin)
    if origin is None or begins is None or origin.layout.nb_channels > _MOST_CHANNELS:
        return None
    rate_hz = origin.sample_rate
    # Output and input agree at every so many input samples: there the part has to begin.
    grid = rate_hz // math.gcd(rate_hz, SAMPLE_RATE_HZ)
    target_s = Fraction(first, SAMPLE_RATE_HZ) - Fraction(_BEFORE_S)
    frames: Iterator[AudioFrame] = container.decode(stream)
    if target_s > 0 and stream.time_base is not None:
        container.seek(int((begins + target_s) / stream.time_base), stream=stream)
        frames = container.decode(stream)
    else:
        frames = chain([origin], frames)
    writer = FrameWriter(name, settings, past - first, timestamped=True)
    offset = 0
    for frame in frames:
        time_s = _time_s(frame)
        if time_s is None or frame.sample_rate != rate_hz:
            return None
        at = round((time_s - begins) * rate_hz)
        if writer.native_rate_hz == 0:
            skipped = -at % grid
            if skipped >= frame.samples or at < 0:
                continue
            offset = (at + skipped) * SAMPLE_RATE_HZ // rate_hz
            if offset > first:
                return None
            frame = _without(frame, skipped, time_s) if skipped else frame
        writer.write(frame)
        if at * SAMPLE_RATE_HZ > (past + _AFTER_S * SAMPLE_RATE_HZ) * rate_hz:
            break
    pcm = writer.finish()[:, first - offset : past - offset]
    missing = past - first - pcm.shape[1]
    if missing > _END_MISSING_S * SAMPLE_RATE_HZ:
        return None
    return np.pad(pcm, ((0, 0), (0, missing)))


def _time_s(frame: "AudioFrame") -> Fraction | None:
    if frame.pts is None or frame.time_base is None:
        return None
    return frame.pts * frame.time_base


def _without(frame: "AudioFrame", samples: int, time_s: Fraction) -> "AudioFrame":
    """Return a frame, which begins at a time, without its first samples."""
    import av

    width = 1 if frame.format.is_planar else frame.layout.nb_channels
    rest: Any = np.ascontiguousarray(frame.to_ndarray()[:, samples * width :])
    cut = av.AudioFrame.from_ndarray(rest, format=frame.format.name, layout=frame.layout.name)
    cut.sample_rate, cut.time_base = frame.sample_rate, Fraction(1, frame.sample_rate)
    cut.pts = round(time_s * frame.sample_rate) + samples
    return cut
