"""Several calls ask one recogniser side by side, so that their windows share its batches.

A recogniser reads its weights once for a batch, however many windows are in it: the few windows of
one short call leave most of that unused.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TypeVar

from warmline.errors import WarmlineError
from warmline.words.recogniser import Recogniser, Recognition, Request

T = TypeVar("T")

# Yields what is to be recognised, is sent the answer, and returns what it was about.
Asking = Generator[Request, Recognition, T]


def together(
    dialogues: Sequence[Asking[T]], recogniser: Callable[[], Recogniser]
) -> Iterator[tuple[int, T]]:
    """The place and the result of each dialogue, as they end.

    All go on to their next request before any is answered. `recogniser` is called when there is a
    first request. What fails for several at once is tried for each alone, so that the fault is
    raised only in the dialogue that met it; `WarmlineError` befalls them all and is raised here.
    """
    asked: dict[int, Request] = {}
    for place, dialogue in enumerate(dialogues):
        try:
            asked[place] = next(dialogue)
        except StopIteration as end:
            yield place, end.value
    while asked:
        answers = zip(asked.items(), _answers(list(asked.values()), recogniser()), strict=True)
        asked = {}
        for (place, _), answer in answers:
            dialogue = dialogues[place]
            try:
                if isinstance(answer, Recognition):
                    asked[place] = dialogue.send(answer)
                else:
                    asked[place] = dialogue.throw(answer)
            except StopIteration as end:
                yield place, end.value


def _answers(
    requests: Sequence[Request], recogniser: Recogniser
) -> Sequence[Recognition | Exception]:
    started = perf_counter()
    try:
        answers = recogniser.recognise(requests)
    except WarmlineError:
        raise
    except Exception as e:  # whose window it was, nobody can say
        if len(requests) == 1:
            return [e]
        return [answer for request in requests for answer in _answers([request], recogniser)]
    seconds = perf_counter() - started
    whole = sum(request.samples for request in requests)
    return [
        replace(answer, seconds=seconds * request.samples / whole)
        for request, answer in zip(requests, answers, strict=True)
    ]
