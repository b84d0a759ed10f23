"""A landing folder of any size, for measuring how the warehouse grows.

`python landing_zone.py FOLDER --calls 100000` plays some hundred calls on paper: lines of the
sample scenes and chatter whose words are as unequally common as words are, with pauses, dead air
and people who talk at once. The stages that need no sound (turns, floor, language, empathy) measure
them; prosody is drawn by lot. SQL then copies them, each time under another name, day, agent, queue
and customer, into packs such as `warmline` itself leaves behind.
"""

import argparse
import hashlib
import math
import random
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from warmline import empathy, floor, language
from warmline.analysis import (
    CallAnalysis,
    Metric,
    PartyProsody,
    Prosody,
    StageKey,
    TurnProsody,
    missing_metric,
)
from warmline.errors import Status
from warmline.files import folder
from warmline.landing import rows, store
from warmline.pipeline.stages import STAGES
from warmline.prosody import DEFINITIONS as PROSODY
from warmline.settings import Settings
from warmline.turns import converse
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    Recording,
    SpeakerSource,
    Speech,
    SpeechSegment,
    Transcript,
    Utterance,
    Word,
)

TURNS = 30
ROWS_IN_PACK = 2048
FIRST_DAY = datetime(2026, 1, 1, 8, tzinfo=UTC)
SETTINGS = Settings()

#: Copies of the templates: the call's number gives everything in which one call differs from
#: another, so that the same number is the same call again.
_COPIES = """
COPY (
    WITH numbered AS (
        SELECT range AS n, sha256('call ' || range || $edition) AS audio FROM range($first, $end)
    ),
    told AS (
        SELECT
            t.* EXCLUDE (place), n, audio,
            TIMESTAMPTZ '2026-01-01 08:00:00+00'
                + to_seconds((n // $per_day) * 86400 + (n % $per_day) * 36000 // $per_day)
                AS started_at
        FROM numbered INNER JOIN templates AS t ON t.place = hash(n) % $templates
    )
    SELECT * EXCLUDE (n, audio, started_at) REPLACE (
        'analyses/' || audio AS landing_key,
        sha256(audio || content_sha256) AS content_sha256,
        started_at + to_days(1) AS analyzed_at,
        struct_update(recording, path := '/calls/' || n || '.wav', audio_sha256 := audio,
            modified_at := started_at) AS recording,
        struct_update(metadata, call_id := 'call-' || lpad(n::VARCHAR, 9, '0'),
            started_at := started_at,
            agent_id := 'agent-' || lpad((hash(n, 1) % $agents)::VARCHAR, 4, '0'),
            team := 'team-' || lpad((hash(n, 1) % $agents // 12)::VARCHAR, 3, '0'),
            queue := list_extract(['cards', 'billing', 'claims', 'orders', 'faults', 'moves',
                'sales', 'feedback'], (hash(n, 2) % 8 + 1)::BIGINT),
            customer_id := 'c-' || (hash(n, 3) % $customers)) AS metadata
    )
    FROM told
) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)
"""


def write_zone(
    landing_dir: Path, calls: int, *, first: int = 0, per_day: int = 20_000, templates: int = 400
) -> int:
    """Write the calls numbered `first` to `first + calls`, `per_day` of them a day, as packs.

    Returns how many bytes they take. The same numbers give the same calls.
    """
    written = 0
    with duckdb.connect() as con:
        con.execute("SET preserve_insertion_order = false; SET threads = 2; SET TimeZone = 'UTC'")
        con.register("played", _templates(templates))
        con.execute("CREATE TABLE templates AS SELECT * FROM played")
        for start in range(first, first + calls, ROWS_IN_PACK):
            end = min(start + ROWS_IN_PACK, first + calls)
            name = hashlib.sha256(f"pack {start} {end}".encode()).hexdigest()
            path = landing_dir / "packs" / name[:2] / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            con.execute(
                _COPIES.format(path=str(path).replace("'", "''")),
                {
                    "edition": "",
                    "first": start,
                    "end": end,
                    "per_day": per_day,
                    "templates": templates,
                    "agents": max(24, per_day // 40),
                    "customers": max(100, calls // 3),
                },
            )
            written += path.stat().st_size
    return written


@cache
def _templates(count: int) -> pa.Table:
    """Calls as they land, `place` counting them."""
    says = _lines()
    landed = []
    for place in range(count):
        row = store.to_row(_played(random.Random(place), says))
        row |= {
            rows.KEY: "",
            rows.CONTENT: hashlib.sha256(str(place).encode()).hexdigest(),
            rows.METADATA: hashlib.sha256(f"metadata {place}".encode()).hexdigest(),
        }
        landed.append(row)
    table = pa.Table.from_pylist(landed, schema=rows.landing_schema())
    return table.append_column("place", pa.array(range(count), pa.uint64()))


def _lines() -> dict[str, list[str]]:
    """What customers and agents say in the sample scenes."""
    found: dict[str, list[str]] = {"customer": [], "agent": []}
    for path in sorted((folder("audio") / "samples").glob("*.toml")):
        scene = tomllib.loads(path.read_text(encoding="utf-8"))
        roles = {name: speaker["role"] for name, speaker in scene["speakers"].items()}
        for line in scene["line"]:
            if "text" in line and roles[line["speaker"]] in found:
                found[roles[line["speaker"]]].append(line["text"])
    return found


def _chatter(lot: random.Random) -> str:
    """A sentence of words that are as unequally common as words are (Zipf), out of 20,000."""
    ranks = (int(math.exp(lot.random() * math.log(20_000))) for _ in range(lot.randint(4, 18)))
    return " ".join(_word(rank) for rank in ranks)


def _word(rank: int) -> str:
    syllables = ("ba", "co", "di", "fu", "ge", "la", "me", "no", "pi", "ru", "sa", "te", "vo", "wi")
    word, rest = "", rank
    while rest or not word:
        rest, syllable = divmod(rest, len(syllables))
        word += syllables[syllable]
    return word


def long_call(turns: int) -> CallAnalysis:
    """One call of so many turns, as if it had been listened to; always the same."""
    return _played(random.Random(0), _lines(), turns)


def _played(
    lot: random.Random, says: dict[str, list[str]], turns: int | None = None
) -> CallAnalysis:
    """One call, as if it had been listened to."""
    words: list[Word] = []
    segments: list[SpeechSegment] = []
    utterances: list[Utterance] = []
    clock = lot.uniform(0.2, 1.0)
    for turn in range(turns or max(4, round(lot.gauss(TURNS, 8)))):
        party, role = (("B", "agent"), ("A", "customer"))[turn % 2]
        text = lot.choice(says[role]) if lot.random() < 0.3 else _chatter(lot)
        spoken = text.split()
        step = 1 / lot.uniform(2.2, 3.4)
        start, end = clock, clock + len(spoken) * step
        words += [
            Word(start + i * step, start + (i + 1) * step, party, word, lot.uniform(0.4, 1.0))
            for i, word in enumerate(spoken)
        ]
        segments.append(SpeechSegment(start, end, party))
        utterances.append(Utterance(start, end, party, text, -0.3, 0.02, 1.3))
        clock = end + lot.choices((-0.6, 0.2, 0.6, 1.5, 4.0, 7.0), (6, 40, 30, 16, 6, 2))[0]
        clock = max(clock, start + 0.5)
    duration = max(segment.end_s for segment in segments) + 1.0
    words.sort(key=lambda word: word.start_s)
    segments.sort(key=lambda segment: segment.start_s)
    speech = Speech(
        SpeakerSource.CHANNEL, ("A", "B"), tuple(segments), tuple(segments), (), 1.0, "two channels"
    )
    transcript = Transcript("en", 0.99, tuple(words), tuple(utterances), {"loop": 0})
    return _measured(lot, speech, transcript, duration)


def _measured(
    lot: random.Random, speech: Speech, transcript: Transcript, duration: float
) -> CallAnalysis:
    metadata = CallMetadata(
        "call", reason=lot.choice(("invoice", "lost card", "delivery", "fault", "contract")),
        direction="inbound", channel_roles={"0": "customer", "1": "agent"}, source="csv",
    )  # fmt: skip
    layout = ChannelLayout("stereo", 2, lot.uniform(0.0, 0.2), "two voices", (0, 1))
    conversation = converse(speech, transcript, layout, metadata, SETTINGS.turns)
    moments = language.read(conversation, transcript, SETTINGS.language)
    on_floor = floor.measure(speech, transcript, conversation, duration, SETTINGS.floor)
    felt = empathy.measure(conversation, moments, on_floor, SETTINGS.empathy)
    sounded = _sounded(lot, conversation.turns)
    metrics = (*on_floor.metrics, *felt.metrics, *sounded.metrics)
    return CallAnalysis(
        recording=Recording("", 960_000, FIRST_DAY, ""),
        metadata=metadata,
        status=Status.ANALYZED,
        reason_code=None,
        reason=None,
        analyzed_at=FIRST_DAY + timedelta(days=1),
        warmline_version="0",
        models={"whisper": "base", "segmentation": "3.0"},
        stage_keys=tuple(
            StageKey(stage.name, hashlib.sha256(stage.name.encode()).hexdigest(), lot.random())
            for stage in STAGES
        ),
        duration_s=duration,
        sample_rate_hz=8000,
        codec="pcm_s16le",
        layout=layout,
        speech=speech,
        transcript=transcript,
        conversation=conversation,
        prosody=sounded,
        floor=on_floor,
        empathy=felt,
        metric_versions={metric.name: 1 for metric in metrics},
    )


def _sounded(lot: random.Random, turns: tuple[object, ...]) -> Prosody:
    """Prosody by lot: it is loaded and averaged like any, and means nothing."""
    spoken = tuple(
        TurnProsody(t.index, t.party, *(lot.gauss(0, 2) for _ in range(6)), *_shares(lot))
        for t in turns
    )
    parties = tuple(PartyProsody(p, lot.gauss(180, 30), *_levels(lot)) for p in "AB")
    metrics: list[Metric] = []
    for definition in PROSODY:
        for party in ("A", "B") if definition.level == "party" else (None,):
            if lot.random() < 0.2:
                metrics.append(missing_metric(definition.name, party, "too few turns"))
            else:
                value = min(lot.random(), 1.0) if definition.unit == "share" else lot.gauss(0, 3)
                metrics.append(Metric(definition.name, party, value, observations=9))
    return replace(Prosody(parties, spoken, ()), metrics=tuple(metrics))


def _shares(lot: random.Random) -> tuple[float, float, float]:
    return lot.random() * 0.4, lot.gauss(-6, 1), lot.random()


def _levels(lot: random.Random) -> tuple[float, ...]:
    return (lot.gauss(4, 1), lot.gauss(-25, 3), lot.gauss(4, 1), lot.gauss(-23, 2), 2.8)


def main() -> None:
    """Write a zone from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first call")
    parser.add_argument("--per-day", type=int, default=20_000)
    given = parser.parse_args()
    size = write_zone(given.folder, given.calls, first=given.first, per_day=given.per_day)
    print(f"{given.calls} calls, {size / 1e6:.0f} MB")  # noqa: T201


if __name__ == "__main__":
    main()
