"""Settings of the measuring stages: turns, prosody, floor, language, empathy."""

from pydantic import Field

from warmline.settings.hearing import Section


class TurnSettings(Section):
    """[turns] turns and roles."""

    max_pause_s: float = Field(
        default=2.0, gt=0, description="A longer silence ends a turn even if nobody else speaks."
    )
    phrase_pause_s: float = Field(
        default=0.5, ge=0, description="Stretches of a party this close are one utterance."
    )
    backchannel_max_s: float = Field(
        default=1.0, gt=0, description="Longest utterance that can be a backchannel, not a turn."
    )
    resume_within_s: float = Field(
        default=1.0,
        gt=0,
        description="A backchannel in a pause: the other paused, and speaks on, within this.",
    )
    min_wordless_s: float = Field(
        default=0.3, ge=0, description="Speech without recognised words this long is a turn."
    )
    min_role_confidence: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Roles inferred from the words with less confidence stay unknown.",
    )


class ProsodySettings(Section):
    """[prosody] pitch, level and rate."""

    pitch_floor_hz: float = Field(
        default=65.0, ge=40, le=200, description="Lowest pitch looked for."
    )
    pitch_ceiling_hz: float = Field(
        default=500.0, ge=300, le=1000, description="Highest pitch looked for."
    )
    hop_s: float = Field(
        default=0.01, ge=0.002, le=0.05, description="Step of the pitch and level tracks."
    )
    min_turn_s: float = Field(
        default=0.5, gt=0, description="Turns with less speech than this have no prosody."
    )
    min_voiced_s: float = Field(
        default=0.2, gt=0, description="Turns with less voiced speech than this have no pitch."
    )
    min_reference_s: float = Field(
        default=1.0, gt=0, description="A party with less voiced speech than this has no pitch."
    )
    min_rate_words: int = Field(
        default=3, ge=1, description="Turns with fewer words than this have no rate."
    )
    min_turns: int = Field(
        default=5, ge=2, description="Fewer measured turns of a party have no spread and no heat."
    )
    heated_sd: float = Field(
        default=1.0, gt=0, description="Customer's level or rate this many SD up is heat."
    )
    heated_min_level_db: float = Field(
        default=1.0, ge=0, description="And at least this much louder than the mean, to be heard."
    )
    heated_min_rate: float = Field(
        default=1.05, ge=1, description="Or at least this many times as fast as the mean."
    )


class FloorSettings(Section):
    """[floor] who holds the floor, who takes it (definitions: docs/metrics.md)."""

    in_order = (("dead_air_s", "long_dead_air_s"),)

    dead_air_s: float = Field(default=2.0, gt=0, description="Silence of all parties this long.")
    long_dead_air_s: float = Field(default=5.0, gt=0, description="Silence counted as long.")
    hold_s: float = Field(
        default=5.0, gt=0, description="Music or tones for this long are a hold, not dead air."
    )
    backchannel_max_s: float = Field(
        default=1.0, gt=0, description="Longest entry that is a backchannel, the holder going on."
    )
    terminal_overlap_s: float = Field(
        default=0.3, gt=0, description="An overlap that starts this close to the holder's end."
    )
    interruption_overlap_s: float = Field(
        default=0.3, gt=0, description="Least overlap of an interruption."
    )
    interruption_entrant_s: float = Field(
        default=1.0, gt=0, description="Least speech of the one who interrupts."
    )
    simultaneous_s: float = Field(
        default=0.2,
        ge=0,
        description="One who starts this soon after the other's turn began entered nobody's floor.",
    )
    yield_within_s: float = Field(
        default=1.0, gt=0, description="An interruption succeeds if the holder stops within this."
    )


class LanguageSettings(Section):
    """[language] rules and models that read the words."""

    rules_folder: str = Field(
        default="",
        description="A folder with rule files of your own, read after the built-in ones.",
    )
    models: bool = Field(
        default=True,
        description="Read the words with trained models besides the rules; they have to be stored.",
    )


class EmpathySettings(Section):
    """[empathy] the opportunity ledger."""

    answer_within_turns: int = Field(
        default=2, ge=1, description="Agent turns after a cue in which an answer counts."
    )
    action_within_turns: int = Field(
        default=3, ge=1, description="Turns after an affective statement in which action counts."
    )
    min_cue_strength: float = Field(
        default=0.5, ge=0, le=1, description="Weaker cues are not opportunities."
    )
    min_feeling: float = Field(
        default=0.62,
        ge=0,
        le=1,
        description="Least probability of a feeling in a turn of the ledger; the default was right "
        "in three of four turns of support chats.",
    )
    offer_after_cue_turns: int = Field(
        default=4, ge=1, description="An offer this soon after an unanswered cue is misplaced."
    )
    strong_answer: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="An answer recognised with this strength is specific: level 2, not 1.",
    )
    opening_turns: int = Field(
        default=3, ge=1, description="An agent's first turns; apologies after them are late."
    )
    edge_share: float = Field(
        default=0.25,
        gt=0,
        lt=0.5,
        description="Share of the agents' words that opens the call, and share that closes it.",
    )
