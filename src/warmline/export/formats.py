"""Analyses as the files that other tools read: one text per call.

Speakers are named by role where it is known (`agent`, `customer`), else by party (`A`, `B`), so
that two agents after a transfer stay two speakers.
"""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from types import MappingProxyType

from pyannote.core import Annotation, Segment

from warmline.analysis import CallAnalysis
from warmline.values import RoleName, Turn

# Names of files are of 255 bytes at most; the ending, and that of a file being written, come to it.
_LONGEST_BYTES = 160
# `a.seglst` as JSON would be the file of `a` as a segment list.
_ENDINGS_LIKE = (".seglst", ".bleeped")

Exporter = Callable[[CallAnalysis, str | None], str]


def speaker_names(analysis: CallAnalysis) -> dict[str, str]:
    """A name per party: its role if no other party has it, else its label."""
    if analysis.speech is None or analysis.conversation is None:
        return {}
    role_of = analysis.conversation.role_of
    roles = {party: role_of(party) for party in analysis.speech.parties}
    bearers = Counter(roles.values())
    return {
        party: role.value if role is not RoleName.UNKNOWN and bearers[role] == 1 else party
        for party, role in roles.items()
    }


def as_rttm(analysis: CallAnalysis, name: str | None = None) -> str:
    """Who spoke when (NIST Rich Transcription Time Marked), overlaps included."""
    names = speaker_names(analysis)
    annotation = Annotation(uri=name or session_id(analysis))
    for i, segment in enumerate(analysis.speech.segments if analysis.speech else ()):
        annotation[Segment(segment.start_s, segment.end_s), i] = names[segment.party]
    return annotation.to_rttm() if annotation else ""


def as_stm(analysis: CallAnalysis, name: str | None = None) -> str:
    """Turns as NIST segment time marks: call, channel, speaker, start, end, text."""
    names, call = speaker_names(analysis), name or session_id(analysis)
    return _lines(
        f"{call} 1 {names[t.party]} {t.start_s:.3f} {t.end_s:.3f} {t.text}"
        for t in _turns(analysis)
    )


def as_seglst(analysis: CallAnalysis, name: str | None = None) -> str:
    """Words as meeteval's segment list (JSON), one entry a word."""
    names, call = speaker_names(analysis), name or session_id(analysis)
    entries = [
        {
            "session_id": call,
            "speaker": names[w.party],
            "start_time": round(w.start_s, 3),
            "end_time": round(w.end_s, 3),
            "words": w.text,
        }
        for w in (analysis.transcript.words if analysis.transcript else ())
    ]
    return json.dumps(entries, ensure_ascii=False, indent=1) + "\n"


def as_ctm(analysis: CallAnalysis, name: str | None = None) -> str:
    """Words as NIST conversation time marks: call, channel, start, length, word, confidence.

    The channel is the party's number, as the format has no speakers.
    """
    call = name or session_id(analysis)
    parties = analysis.speech.parties if analysis.speech else ()
    return _lines(
        f"{call} {parties.index(w.party) + 1} {w.start_s:.3f} {w.duration_s:.3f} "
        f"{w.text.replace(' ', '_')} {w.probability:.3f}"
        for w in (analysis.transcript.words if analysis.transcript else ())
    )


def as_srt(analysis: CallAnalysis) -> str:
    """Turns as SubRip subtitles."""
    names = speaker_names(analysis)
    return _lines(
        f"{i}\n{_clock(t.start_s, ',')} --> {_clock(t.end_s, ',')}\n{names[t.party]}: {t.text}\n"
        for i, t in enumerate(_turns(analysis), start=1)
    )


def as_vtt(analysis: CallAnalysis) -> str:
    """Turns as WebVTT captions, with voice tags."""
    names = speaker_names(analysis)
    return "WEBVTT\n\n" + _lines(
        f"{_clock(t.start_s, '.')} --> {_clock(t.end_s, '.')}\n"
        f"<v {names[t.party]}>{_escaped(t.text)}\n"
        for t in _turns(analysis)
    )


def as_json(analysis: CallAnalysis) -> str:
    """Speakers, turns and their words in one object."""
    names = speaker_names(analysis)
    words = analysis.transcript.words if analysis.transcript else ()
    content = {
        "call_id": analysis.metadata.call_id,
        "path": analysis.recording.path,
        "duration_s": analysis.duration_s,
        "language": analysis.transcript.language if analysis.transcript else None,
        "speakers": list(names.values()),
        "turns": [
            {
                "speaker": names[t.party],
                "start_s": round(t.start_s, 3),
                "end_s": round(t.end_s, 3),
                "text": t.text,
            }
            for t in _turns(analysis)
        ],
        "words": [
            {
                "speaker": names[w.party],
                "start_s": round(w.start_s, 3),
                "end_s": round(w.end_s, 3),
                "text": w.text,
                "probability": round(w.probability, 3),
            }
            for w in words
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


EXPORTERS: MappingProxyType[str, Exporter] = MappingProxyType(
    {
        "rttm": as_rttm,
        "stm": as_stm,
        "seglst": as_seglst,
        "ctm": as_ctm,
        "srt": lambda analysis, _: as_srt(analysis),
        "vtt": lambda analysis, _: as_vtt(analysis),
        "json": lambda analysis, _: as_json(analysis),
    }
)
ENDINGS = MappingProxyType({name: name for name in EXPORTERS} | {"seglst": "seglst.json"})


def session_id(analysis: CallAnalysis) -> str:
    """Return the call's id without what file names and NIST's formats forbid, and of their length.

    Of another call's id it may become the same: where there is more than one, see `file_stems`.
    """
    return _plain(analysis.metadata.call_id)


def file_stems(call_ids: Iterable[str]) -> dict[str, str]:
    """Return, for every call of a warehouse, how its files' names begin: none begin alike.

    Also not where capital letters, or forms of Unicode, make no difference. The name is the id
    without what names of files forbid, with a digest behind it where that would be two calls', or
    where the id is too long for one.
    """
    ids = list(dict.fromkeys(call_ids))
    plain = {call_id: _plain(call_id) for call_id in ids}
    bearers = Counter(_folded(stem) for stem in plain.values())
    stems, taken = {}, set(bearers)
    for call_id, stem in plain.items():
        own = stem
        if bearers[_folded(stem)] > 1 or stem.lower().endswith(_ENDINGS_LIKE):
            digest = hashlib.sha256(call_id.encode("utf-8", "backslashreplace")).hexdigest()
            sizes = range(8, len(digest) + 1, 8)
            named = (f"{stem}~{digest[:size]}" for size in sizes)
            own = next(name for name in named if _folded(name) not in taken)
            taken.add(_folded(own))
        stems[call_id] = own
    return stems


def _plain(call_id: str) -> str:
    """The id as the name of a file, cut where it is too long, which a digest then tells apart."""
    plain = re.sub(r"[^\w.~-]+", "_", call_id)
    plain = re.sub(r"^[.-]", "_", plain) or "call"
    if len(plain.encode()) <= _LONGEST_BYTES:
        return plain
    digest = hashlib.sha256(call_id.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return f"{plain.encode()[: _LONGEST_BYTES - 17].decode('utf-8', 'ignore')}~{digest}"


def _folded(stem: str) -> str:
    """The same for names that a file system may take for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", stem).casefold())


def _turns(analysis: CallAnalysis) -> list[Turn]:
    turns = analysis.conversation.turns if analysis.conversation else ()
    return [t for t in turns if t.text]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _clock(time_s: float, separator: str) -> str:
    ms = round(time_s * 1000)
    hours, minutes, seconds = ms // 3_600_000, ms // 60_000 % 60, ms // 1000 % 60
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{ms % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
