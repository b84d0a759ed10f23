"""What the prosody room measures, each with its meaning, source and how far it was checked."""

from warmline.metrics import MetricDefinition

_PITCH_CHECKED = "against Praat and pYIN on real calls and on synthetic voices, telephone band"
_PLANTED = "planted in synthetic calls"

DEFINITIONS: tuple[MetricDefinition, ...] = (
    MetricDefinition(
        "pitch_median_hz",
        "party",
        "Hz",
        "Median fundamental frequency of the party's voiced speech, frames 10 ms apart.",
        "Boersma 1993; Tolonen & Karjalainen 2000; De Looze & Hirst 2008",
        validated=_PITCH_CHECKED,
    ),
    MetricDefinition(
        "pitch_iqr_st",
        "party",
        "semitones",
        "Distance between the quartiles of the party's pitch over all voiced frames.",
        "De Looze & Hirst 2008",
        validated=_PITCH_CHECKED,
    ),
    MetricDefinition(
        "level_median_db",
        "party",
        "dB",
        "Median over the party's turns of the mean power of speech below 4 kHz, dB re full scale. "
        "Depends on the line's gain: compare within a call only.",
        "metrics.md, Prosody",
        validated=_PLANTED,
    ),
    MetricDefinition(
        "level_iqr_db",
        "party",
        "dB",
        "Distance between the quartiles of the levels of the party's turns.",
        "metrics.md, Prosody",
    ),
    MetricDefinition(
        "loudness_lufs",
        "party",
        "LUFS",
        "Gated loudness of the party's own speech, stretches of at least 0.4 s, one channel.",
        "ITU-R BS.1770-5",
        validated="against the recommendation's test tones",
    ),
    MetricDefinition(
        "rate_median_words_per_s",
        "party",
        "words/s",
        "Median over the party's turns of recognised words per second of speech; turns of at least "
        "three words.",
        "metrics.md, Prosody",
        validated=_PLANTED,
    ),
    MetricDefinition(
        "pause_share",
        "party",
        "share",
        "Share of the party's turns in which the party does not speak: pauses over length, both "
        "summed over turns.",
        "metrics.md, Prosody",
    ),
    MetricDefinition(
        "voiced_share",
        "party",
        "share",
        "Voiced frames over frames of active speech.",
        "Boersma 1993",
        validated=_PITCH_CHECKED,
    ),
    *(
        MetricDefinition(
            name,
            "party",
            unit,
            f"Agent's {what}: median over turns that follow a heated turn of the customer, minus "
            "median over the agent's other turns. Near 0 is steady. A customer's turn is heated "
            "when its level or rate is more than 1 SD above the mean of the customer's turns "
            "(about one turn in six of a calm call is, too) and audibly so, or when its words are "
            "hostile.",
            "Tao 2022; Xiao 2014; Quené 2007 (what is audible)",
            validated=_PLANTED,
        )
        for name, unit, what in (
            ("steadiness_level_db", "dB", "level"),
            ("steadiness_rate_words_per_s", "words/s", "words per second"),
            ("steadiness_pitch_st", "semitones", "pitch"),
        )
    ),
    MetricDefinition(
        "heated_turns",
        "party",
        "count",
        "Customer's turns whose level or rate is more than 1 SD above the mean of the customer's "
        "turns and audibly so (1 dB, 5 %), or whose words are hostile.",
        "Tao 2022; Xiao 2014",
        validated=_PLANTED,
    ),
    *(
        MetricDefinition(
            name,
            "party",
            unit,
            f"Customer's {what}: median over turns in the first quarter of the conversation minus "
            "median over turns in the last. Above 0: it went down.",
            "metrics.md, heat recovery",
            validated=_PLANTED,
        )
        for name, unit, what in (
            ("customer_level_recovery_db", "dB", "level"),
            ("customer_rate_recovery", "words/s", "words per second"),
        )
    ),
    *(
        MetricDefinition(
            f"entrainment_{column}_{kind}",
            "call",
            unit,
            f"{meaning} of {column} in turns that follow each other, each in SD of the party's own "
            "call. A research column: not a quality of anybody.",
            "Levitan & Hirschberg 2011",
        )
        for column in ("level", "rate")
        for kind, unit, meaning in (
            ("proximity", "SD", "Minus the mean difference"),
            ("convergence", "correlation", "Correlation with time of minus the difference"),
            ("synchrony", "correlation", "Correlation"),
        )
    ),
)
