"""How far a long piece of work has come, told to whoever waits for it."""

from collections.abc import Callable

# Is told the share of the work that is done, 0..1.
Tell = Callable[[float], None]


def nobody(share: float) -> None:
    """Nobody waits."""


def within(tell: Tell, first: float, past: float) -> Tell:
    """Tells of a part of the work, which lies between two shares of the whole."""
    return lambda share: tell(first + share * (past - first))
