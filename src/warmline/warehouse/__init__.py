"""The warehouse: one DuckDB file, loaded from the landing folder, published whole.

Its tables, views, queries and checks are plain SQL in the folder `warehouse/` of the repository.
What only a load needs is imported on first use, so that a query answers at once.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warmline.warehouse.publishing import PublishReport, publish
    from warmline.warehouse.tables import CheckResult, check_warehouse

__all__ = ["CheckResult", "PublishReport", "check_warehouse", "publish"]


def __getattr__(name: str) -> Any:
    if name in ("PublishReport", "publish"):
        from warmline.warehouse import publishing

        return getattr(publishing, name)
    if name in ("CheckResult", "check_warehouse"):
        from warmline.warehouse import tables

        return getattr(tables, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
