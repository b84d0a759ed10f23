"""Users whom an identity provider knows, by issuer and subject."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns that name somebody at a provider: nobody is there twice."""
    op.add_column("users", sa.Column("issuer", sa.String))
    op.add_column("users", sa.Column("subject", sa.String))
    op.create_index("users_of_providers", "users", ["issuer", "subject"], unique=True)
