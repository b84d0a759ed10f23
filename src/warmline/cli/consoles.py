"""A console on which no name of a file or caller can move the cursor or change what is shown."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

# Control characters but the end of a line, those that turn the reading direction round, and halves
# of characters, which cannot be written. Tabs stay, as no terminal does harm with them.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_PICTURES = 0x2400  # Unicode has a picture of each control character


def harmless(text: str) -> str:
    """The text as a terminal may print it: each harmful character as one that only looks so."""
    return _HARMFUL.sub(lambda found: _shown(found[0]), text)


def harmless_json(text: str) -> str:
    """JSON with these characters in its strings as escapes: the same values."""
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _shown(character: str) -> str:
    return chr(_PICTURES + ord(character)) if character < " " else "\N{REPLACEMENT CHARACTER}"


class PlainConsole(Console):
    """Writes colours and moves of its own; whatever it is given to print is text."""

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As `Console.render`, with text made harmless. Widths stay: one character for one."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(harmless(segment.text), segment.style)
