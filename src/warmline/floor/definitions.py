"""The definitions of the floor measures, each with its meaning and source."""

from warmline.metrics import MetricDefinition

_PLANTED = "planted events in simulated calls"
_OVERLAP = "Heldner & Edlund 2010; Cho 2022"
_PEERS = "Contact Lens, CX Insights, Calabrio"


def _party(name: str, unit: str, definition: str, source: str) -> MetricDefinition:
    return MetricDefinition(name, "party", unit, definition, source, validated=_PLANTED)


def _call(name: str, unit: str, definition: str, source: str) -> MetricDefinition:
    return MetricDefinition(name, "call", unit, definition, source, validated=_PLANTED)


DEFINITIONS: tuple[MetricDefinition, ...] = (
    _party(
        "talk_s",
        "s",
        "Seconds of the party's speech; pauses under 0.2 s are speech.",
        "Amazon Transcribe Call Analytics",
    ),
    _party(
        "talk_share",
        "share",
        "The party's speech over the sum of all parties' (recorded voices left out).",
        "Amazon Transcribe Call Analytics",
    ),
    _party(
        "longest_monologue_s",
        "s",
        "Longest span of one turn of the party that nobody interrupted.",
        "Gong",
    ),
    _party(
        "interruptions",
        "count",
        "Times the party came in while another held the floor, 0.3 s or more before the other "
        "ended, with at least 0.3 s of overlap and 1 s of speech. Counted for who came in.",
        _OVERLAP,
    ),
    _party(
        "interruptions_per_min",
        "per_min",
        "The party's interruptions per minute of the others' speech.",
        _OVERLAP,
    ),
    _party(
        "competitive_interruptions",
        "count",
        "Interruptions that neither open with agreement nor complete the other's phrase; coverage "
        "is the share of interruptions whose words were recognised.",
        _OVERLAP,
    ),
    _party(
        "successful_interruptions",
        "count",
        "Interruptions after which the other stops within 1 s and the party keeps the floor.",
        _OVERLAP,
    ),
    _party(
        "backchannels",
        "count",
        "Short activity of the party (at most 1 s) inside another's turn, from the sound; words, "
        "where recognised, must be a listener's. More is not better.",
        "Heldner & Edlund 2010; Reece 2023",
    ),
    _party(
        "backchannels_per_min",
        "per_min",
        "The party's backchannels per minute of the others' speech. A research column.",
        "Heldner & Edlund 2010; Reece 2023",
    ),
    _party(
        "response_latency_median_s",
        "s",
        "Median of the party's positive floor transfer offsets; holds are left out.",
        "Templeton 2022",
    ),
    _party(
        "response_latency_p90_s",
        "s",
        "90th percentile of the party's positive floor transfer offsets; holds are left out.",
        "Templeton 2022",
    ),
    _party("turns", "count", "Turns of the party.", "Reece 2023"),
    _party("words", "count", "Recognised words of the party, backchannels included.", "peers.md"),
    _call(
        "non_talk_s",
        "s",
        "Seconds in which no party speaks, from the recording's first sample to its last.",
        "Amazon Transcribe Call Analytics",
    ),
    _call(
        "dead_air_s",
        "s",
        "Seconds of dead air: silences of all parties of 2 s or more between the first and the "
        "last speech of the call, holds left out.",
        _PEERS,
    ),
    _call("dead_air_count", "count", "Number of spans of dead air.", _PEERS),
    _call("longest_dead_air_s", "s", "The longest span of dead air.", _PEERS),
    _call("long_dead_air_s", "s", "Seconds of dead air in spans of 5 s or more.", _PEERS),
    _call("long_dead_air_count", "count", "Spans of dead air of 5 s or more.", _PEERS),
    _call(
        "hold_s",
        "s",
        "Seconds of music or tones while nobody speaks, 5 s or more at a time, between the first "
        "and the last speech of the call.",
        "Calabrio",
    ),
    _call(
        "fto_median_s",
        "s",
        "Median floor transfer offset: start of the next speaker minus end of the last at every "
        "change of speaker; below 0 is overlap.",
        "Levinson & Torreira 2015; Reece 2023",
    ),
    _call("overlap_s", "s", "Seconds in which two or more parties speak.", _OVERLAP),
    _call(
        "opening_story_s",
        "s",
        "Seconds of the customer's speech before the agent's first interruption that is not known "
        "to be cooperative; all of it, with 0 observations, if there is none.",
        "metrics.md, Floor",
    ),
)
