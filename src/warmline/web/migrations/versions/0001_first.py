"""Users, sessions, attempts to log in, the audit, comments and evaluations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of an empty file."""
    op.create_table(
        "users",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("agent_id", sa.String),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("user_name", sa.String),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("seen_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("attempt_id", sa.Integer, primary_key=True),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("landing_key", sa.String),
        sa.Column("seconds", sa.Float),
        sa.Column("detail", sa.String),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.create_table(
        "comments",
        sa.Column("comment_id", sa.Integer, primary_key=True),
        sa.Column("landing_key", sa.String, nullable=False, index=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("label", sa.String),
        sa.Column("text", sa.String, nullable=False),
    )
    op.create_table(
        "evaluations",
        sa.Column("evaluation_id", sa.Integer, primary_key=True),
        sa.Column("landing_key", sa.String, nullable=False, index=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("form", sa.String, nullable=False),
        sa.Column("form_sha256", sa.String, nullable=False),
        sa.Column("form_text", sa.String, nullable=False),
        sa.Column("is_draft", sa.Boolean, nullable=False),
        sa.Column("answers", sa.String, nullable=False),
    )
