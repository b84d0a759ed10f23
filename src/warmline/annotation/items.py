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

    `item_id` says nothing of the call. `kinds` are the ledger's feelings, strongest first, empty
    for a turn without a cue; `answer` and `level` those of the strongest. `chance` (0..1] is the
    share of its stratum that was drawn.
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
    """One person's label of an item. `answer` and `level` may be left open."""

    feeling: str
    answer: str | None = None
    level: int | None = None

    @property
    def is_cue(self) -> bool:
        """Return whether the customer shows a feeling."""
        return self.feeling != NO_FEELING


@dataclass(frozen=True)
class Opinion:
    """The opinion of one person, or of several together, on an item.

    `felt` (0..1) is 1 for a feeling and 0 for none; between them where people differ and nobody has
    decided: the share of them who see one. `feeling` is None where they do not agree on which.
    """

    felt: float
    feeling: str | None = None
    answer: str | None = None


def opinion(label: Label) -> Opinion:
    """Return a label as an opinion."""
    return Opinion(float(label.is_cue), label.feeling if label.is_cue else None, label.answer)


def is_answered(answer: str | None) -> bool | None:
    """Return whether an answer is empathic; None when nobody could answer or nothing was said."""
    return None if answer in (None, NO_AGENT_TURN) else answer in EMPATHIC
