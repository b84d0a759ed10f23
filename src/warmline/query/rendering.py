"""Small pieces that the pages share: times, values, colours."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

ROLE_STYLES = {"agent": "cyan", "customer": "magenta", "ivr": "yellow", "other": "green"}
_UNIT_FORMATS = {
    "s": "{:.2f} s",
    "share": "{:.0%}",
    "count": "{:.0f}",
    "per_min": "{:.2f}/min",
    "per_hour": "{:.1f}/h",
    "dB": "{:.1f} dB",
    "semitones": "{:.2f} st",
    "Hz": "{:.0f} Hz",
    "words/s": "{:.2f} words/s",
    "ratio": "{:.2f}",
}


def clock(seconds: float | None) -> str:
    """Return a time such as `75.2` as `1:15`, with hours only where there are some."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, s = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"


def value_text(value: float | None, unit: str | None) -> str:
    """Return a value with its unit, rounded for a reader; `-` where there is none."""
    if value is None:
        return "-"
    known = _UNIT_FORMATS.get(unit or "")
    return known.format(value) if known else f"{value:.3g} {unit or ''}".rstrip()


def share_text(value: float | None) -> str:
    """Return a share such as `0.421` as `42 %`."""
    return "-" if value is None else f"{value:.0%}"


def role_style(name: str) -> str:
    """Return the colour of a party by its name on the page."""
    return ROLE_STYLES.get(name.split(" ")[0], "white")


def styled(parts: list[tuple[str, str]]) -> "Text":
    """Return pieces of text, each with its style, on one line."""
    from rich.text import Text

    return Text.assemble(*parts)


def evidence_text(evidence: list[dict[str, Any]], room: int) -> str:
    """Return as many times of the evidence as fit into `room` characters."""
    times = [clock(place["start_s"]) for place in evidence]
    for shown in range(len(times), 0, -1):
        more = len(times) - shown
        text = " ".join(times[:shown]) + (f" +{more}" if more else "")
        if len(text) <= room or shown == 1:
            return text
    return ""
