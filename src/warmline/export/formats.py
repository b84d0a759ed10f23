"""Analyses as the files that other tools read: one text per call.

Speakers are named by role where it is known (`agent`, `customer`), else by party (`A`, `B`), so
that two agents after a transfer stay two speakers.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from types import MappingProxyType

from pyannote.core import Annotation, Segment

from warmline.analysis import CallAnalysis
from warmline.values import RoleName, Turn

Exporter = Callable[[CallAnalysis], str]


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


def as_rttm(analysis: CallAnalysis) -> str:
    """Who spoke when (NIST Rich Transcription Time Marked), overlaps included."""
    names = speaker_names(analysis)
    annotation = Annotation(uri=session_id(analysis))
    for i, segment in enumerate(analysis.speech.segments if analysis.speech else ()):
        annotation[Segment(segment.start_s, segment.end_s), i] = names[segment.party]
    return annotation.to_rttm() if annotation else ""


def as_stm(analysis: CallAnalysis) -> str:
    """Turns as NIST segment time marks: call, channel, speaker, start, end, text."""
    names, call = speaker_names(analysis), session_id(analysis)
    return _lines(
        f"{call} 1 {names[t.party]} {t.start_s:.3f} {t.end_s:.3f} {t.text}"
        for t in _turns(analysis)
    )


def as_seglst(analysis: CallAnalysis) -> str:
    """Words as meeteval's segment list (JSON), one entry a word."""
    names, call = speaker_names(analysis), session_id(analysis)
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


def as_ctm(analysis: CallAnalysis) -> str:
    """Words as NIST conversation time marks: call, channel, start, length, word, confidence.

    The channel is the party's number, as the format has no speakers.
    """
    call = session_id(analysis)
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
        "srt": as_srt,
        "vtt": as_vtt,
        "json": as_json,
    }
)
ENDINGS = MappingProxyType({name: name for name in EXPORTERS} | {"seglst": "seglst.json"})


def session_id(analysis: CallAnalysis) -> str:
    """The call's id without the spaces and slashes that file names and NIST's formats forbid."""
    return re.sub(r"[^\w.~-]+", "_", analysis.metadata.call_id) or "call"


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
