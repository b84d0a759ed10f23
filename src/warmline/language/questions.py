"""Questions that only the question mark gives away ("You live in Leeds?")."""

from collections.abc import Sequence

from warmline.analysis import Moment
from warmline.language.passages import Passage
from warmline.language.rulebook import LanguageRule

_RULE = "question.marked"
_STRENGTH = 0.6
# "Okay?", "All right?" ask nothing.
_LEAST_WORDS = 3
_NO_QUESTION = frozenset({"question_open", "question_closed", "formula"})


def marked_questions(
    passage: Passage,
    found: Sequence[tuple[LanguageRule, int, int]],
    reflected: Sequence[tuple[int, int]],
) -> list[Moment]:
    """A closed question for each sentence with a question mark in which no rule found a question.

    Service formulas ("Is there anything else?") are not counted as questions, nor is what is said
    back with a rising voice (`reflected`).
    """
    moments = []
    for first, past in passage.said.sentences():
        if passage.said.marks[past - 1] != "?" or past - first < _LEAST_WORDS:
            continue
        told = [(a, b) for r, a, b in found if r.kind in _NO_QUESTION]
        if not any(a < past and first < b for a, b in (*told, *reflected)):
            moments.append(passage.moment("question_closed", None, first, past, _RULE, _STRENGTH))
    return moments
