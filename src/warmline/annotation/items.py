"""What is labelled: one turn of a customer, and what a person, or the ledger, says of it."""

from dataclasses import dataclass

from warmline.language.kinds import CUE_LABELS

NO_FEELING = "none"
FEELINGS = (NO_FEELING, *CUE_LABELS)
NO_AGENT_TURN = "no_agent_turn"
EMPATHIC = frozenset({"attentive", "affective", "cognitive"})
ANSWERS = (
    *("ignored", "dismissed", "problem_solved_only", "attentive", "affective", "cognitive"),
    NO_AGENT_TURN,
)
LEVELS = (0, 1, 2)


@dataclass(frozen=True)
class Item:
    """A customer's turn with the talk around it, and what the ledger says of it.

    `kinds` are the ledger's feelings, strongest first, empty for a turn without a cue; `answer` and
    `level` those of the strongest. `chance` (0..1] is the share of its stratum that was drawn.
    """

    item_id: str
    call_id: str
    turn_index: int
    path: str
    start_s: float
    end_s: float
    before: str
    text: str
    after: str
    kinds: tuple[str, ...]
    answer: str | None
    level: int | None
    stratum: str
    chance: float


@dataclass(frozen=True)
class Label:
    """What one person says of an item. `answer` and `level` may be left open."""

    feeling: str
    answer: str | None = None
    level: int | None = None

    @property
    def is_cue(self) -> bool:
        """Whether the customer shows a feeling."""
        return self.feeling != NO_FEELING


def is_answered(answer: str | None) -> bool | None:
    """Whether an answer is empathic; None when nobody could answer, or nothing was said of it."""
    return None if answer in (None, NO_AGENT_TURN) else answer in EMPATHIC
