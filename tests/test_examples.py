"""The notebooks run from top to bottom, on a warehouse that they cannot change."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from support.firms import Firm

EXAMPLES = Path(__file__).parents[1] / "examples"

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="examples are part of the checkout")


def run(name: str, firm: Firm, monkeypatch: pytest.MonkeyPatch, to: Path) -> dict[str, Any]:
    """Run a notebook; what its cells left behind. The warehouse is as it was."""
    monkeypatch.setenv("WARMLINE_WAREHOUSE", str(firm.warehouse))
    monkeypatch.setenv("WARMLINE_REPORT", str(to))
    before = firm.warehouse.read_bytes()
    left = runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert firm.warehouse.read_bytes() == before
    return left


def test_qa_week(
    studied: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    left = run("qa_week.py", studied, monkeypatch, tmp_path)
    assert left["calls"].height == 180
    assert left["by_queue"]["calls"].sum() == 180
    rates = left["by_queue"].sort("queue")
    assert rates["answered"].to_list() == [
        left["calls"].filter(left["calls"]["queue"] == queue)["answered"].sum()
        for queue in ("billing", "orders")
    ]
    assert left["worst"]["answered_rate"].to_list() == [0.0, 0.0, 0.0]
    assert "affective" in capsys.readouterr().out


def test_retention(
    studied: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    left = run("retention.py", studied, monkeypatch, tmp_path)
    assert left["matching"]["outcomes"].sum() == 360
    raw, adjusted = left["table"].loc[0, ["raw", "adjusted"]]
    assert raw > 8 > adjusted
    by_hand = (
        left["by_hand"].params["answered_rate"] * left["complete"]["answered_rate"].std() * 100
    )
    assert by_hand == pytest.approx(adjusted)
    assert (tmp_path / "report.html").exists()
    assert "None of 3 measures is clearly associated" in capsys.readouterr().out


def test_every_example_is_run_and_listed() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"qa_week.py", "retention.py"}
    assert all(name in (EXAMPLES / "README.md").read_text() for name in names)
