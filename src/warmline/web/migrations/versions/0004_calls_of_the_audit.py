"""What was done with a call, found without reading the whole audit."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add an index of the audit by call."""
    op.create_index("audit_of_calls", "audit", ["landing_key"])
