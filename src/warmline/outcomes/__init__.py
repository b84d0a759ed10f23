"""What became of customers after their calls: read from a CSV file, stored, matched to calls."""

from warmline.outcomes.loading import OutcomeReport, load_outcomes
from warmline.outcomes.table import OutcomeTable, read_outcome_table

__all__ = ["OutcomeReport", "OutcomeTable", "load_outcomes", "read_outcome_table"]
