"""Whether the channels of a recording are people: real stereo, or the same voices twice.

What decides is the crosstalk between channels (see `crosstalk`). Measured on the first two minutes
of seven real calls with two channels and on what can be made of them, lowest to highest
`similarity`:

- two people: as recorded 0.00; noise 5 dB below each voice 0.14 to 0.17; crosstalk of -20 dB 0.10,
  also with unequal gains; of -12 dB 0.25;
- in between: crosstalk of -8 dB 0.40, of -6 dB 0.50, of -3 dB 0.71;
- their mono mix on both channels 1.00; with a gain, inverted, in mu-law, GSM or AMR 4.75 kbit/s on
  one channel, cut to another band, up to 0.2 s late, in noise as loud as the voices 0.76 to 1.00.

The default threshold of 0.4 is crosstalk of -8 dB.
"""

from dataclasses import replace
from itertools import combinations
from math import log10

from warmline.crosstalk import Comparison, LevelTrack, amplitude, compare, level_track
from warmline.recordings.sound import Sound
from warmline.settings import ChannelSettings
from warmline.values import ChannelCopy, ChannelLayout

_HEARD_OWN_DB = -20.0  # a voice this far below the channel's own is taken for crosstalk, not a mix
_EVEN_DB = 1.0  # copies this even in quality are not ranked: the first is kept


def resolve(sound: Sound, settings: ChannelSettings) -> tuple[ChannelLayout, Sound]:
    """How many voices the channels tell apart, and the sound with those channels only.

    Kinds: `mono`: there is one channel, or only one carries a voice. `fake_stereo`: all channels
    with a voice hold the same voices, or one of two holds both; the best of them is left. `stereo`:
    every channel that is left is a party. Of more than two channels, copies of others and mixes of
    all others are dropped first.
    """
    count = sound.channel_count
    if count == 1:
        return ChannelLayout("mono", 1, None, "the recording has one channel", (0,)), sound
    tracks = [level_track(sound, channel) for channel in range(count)]
    voiced = [track for track in tracks if _carries_voice(track, settings)] or tracks
    layout = _layout(voiced, count, settings.fake_stereo_similarity)
    if 1 < len(voiced) < count:
        silent = ", ".join(str(t.channel) for t in tracks if t not in voiced)
        layout = replace(layout, reason=f"{layout.reason}; no voice on channel {silent}")
    return layout, kept_of(sound, layout)


def kept_of(sound: Sound, layout: ChannelLayout) -> Sound:
    """Return the sound with those channels only that the layout keeps."""
    if len(layout.kept) == sound.channel_count:
        return sound
    kept = sound.pcm[list(layout.kept)] if len(layout.kept) > 1 else sound.only(layout.kept[0]).pcm
    return replace(sound, pcm=kept)


def with_one_left(layout: ChannelLayout, place: int) -> ChannelLayout:
    """Return the layout when speech was heard on the `place`-th of the kept channels alone."""
    live = layout.kept[place]
    reason = f"channel {live} of {layout.channel_count} alone holds speech; {layout.reason}"
    return replace(layout, kind="mono", similarity=None, reason=reason, kept=(live,))


def _carries_voice(track: LevelTrack, settings: ChannelSettings) -> bool:
    return track.top_db >= settings.voice_level_db and track.range_db >= settings.voice_range_db


def _layout(tracks: list[LevelTrack], count: int, threshold: float) -> ChannelLayout:
    """The layout of channels that all carry a voice."""
    if len(tracks) == 1:
        only = tracks[0].channel
        reason = f"channel {only} of {count} alone carries a voice"
        return ChannelLayout("mono", count, None, reason, (only,))
    kept, similarity, copies, reasons = _without_copies(tracks, threshold)
    if len(kept) == 1:
        best = (kept[0].channel,)
        return ChannelLayout("fake_stereo", count, similarity, "; ".join(reasons), best, copies)
    kept, mixes = _without_mixes(kept, threshold)
    if len(kept) == 2:
        comparison = compare(*kept)
        for first, pair in ((0, comparison), (1, comparison.swapped)):
            if _first_holds_both(pair, threshold):
                return _one_holds_both(kept[first], kept[1 - first], pair, count)
    similarity = max(compare(a, b).similarity for a, b in combinations(kept, 2))
    weaker_db = -20 * log10(max(similarity, 1e-4))
    weaker = f"the voices are {weaker_db:.0f} dB weaker on each other's channel"
    reason = "; ".join([*reasons, *mixes, weaker])
    left = tuple(track.channel for track in kept)
    return ChannelLayout("stereo", count, similarity, reason, left, copies)


def _without_copies(
    tracks: list[LevelTrack], threshold: float
) -> tuple[list[LevelTrack], float, tuple[ChannelCopy, ...], list[str]]:
    """Channels that differ, the highest similarity met, and those dropped, with a sentence each.

    Of two alike, the one whose voice stands further above its noise is kept.
    """
    kept = list(tracks)
    copies: list[ChannelCopy] = []
    reasons = []
    highest = 0.0
    while len(kept) > 1:
        similarity, a, b = max(
            ((compare(a, b).similarity, a, b) for a, b in combinations(kept, 2)),
            key=lambda found: found[0],
        )
        highest = max(highest, similarity)
        if similarity < threshold:
            break
        better, worse = (a, b) if a.range_db >= b.range_db - _EVEN_DB else (b, a)
        kept.remove(worse)
        copies.append(ChannelCopy(worse.channel, better.channel))
        reasons.append(
            f"channels {a.channel} and {b.channel} hold the same voices "
            f"(similarity {similarity:.2f}); {better.channel} is kept, its voices "
            f"{better.range_db:.0f} dB above its noise against {worse.range_db:.0f} dB"
        )
    return kept, highest, tuple(copies), reasons


def _without_mixes(
    tracks: list[LevelTrack], threshold: float
) -> tuple[list[LevelTrack], list[str]]:
    """Of three channels or more, those that do not hold the voices of two others."""
    if len(tracks) < 3:
        return tracks, []
    mixes = [
        track
        for track in tracks
        if sum(
            _first_holds_both(compare(track, other), threshold)
            for other in tracks
            if other is not track
        )
        > 1
    ]
    if len(tracks) - len(mixes) < 2:
        return tracks, []
    reasons = [f"channel {track.channel} is a mix of others" for track in mixes]
    return [track for track in tracks if track not in mixes], reasons


def _first_holds_both(comparison: Comparison, threshold: float) -> bool:
    """Whether the second's voice is plain on the first, and the first's not heard on the second."""
    heard = comparison.of_second
    return (
        amplitude(heard.relative_db) >= threshold
        and heard.own_db >= _HEARD_OWN_DB
        and heard.is_audible
        and not comparison.of_first.is_audible
    )


def _one_holds_both(
    both: LevelTrack, other: LevelTrack, comparison: Comparison, count: int
) -> ChannelLayout:
    similarity = amplitude(comparison.of_second.relative_db)
    reason = (
        f"channel {both.channel} holds both voices, channel {other.channel} one of them "
        f"(similarity {similarity:.2f} one way)"
    )
    return ChannelLayout("fake_stereo", count, similarity, reason, (both.channel,))
