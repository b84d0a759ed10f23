"""Disputes, assignments, calibrations, saved searches, playlists and coaching."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables, and the columns that tie an evaluation to what it belongs to."""
    _make_tables_of_scoring()
    _make_tables_of_listening()


def _make_tables_of_scoring() -> None:
    op.add_column("evaluations", sa.Column("calibration_id", sa.Integer))
    op.add_column("evaluations", sa.Column("replaces", sa.Integer))
    op.create_table(
        "dispute_steps",
        sa.Column("step_id", sa.Integer, primary_key=True),
        sa.Column("evaluation_id", sa.Integer, nullable=False, index=True),
        sa.Column("landing_key", sa.String, nullable=False, index=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
    )
    op.create_table(
        "assignments",
        sa.Column("assignment_id", sa.Integer, primary_key=True),
        sa.Column("landing_key", sa.String, nullable=False, index=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False, index=True),
        sa.Column("by_name", sa.String, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("done_at", sa.DateTime),
        sa.Column("calibration_id", sa.Integer),
    )
    op.create_table(
        "calibrations",
        sa.Column("calibration_id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("form", sa.String, nullable=False),
        sa.Column("form_text", sa.String, nullable=False),
        sa.Column("closed_at", sa.DateTime),
    )


def _make_tables_of_listening() -> None:
    op.create_table(
        "searches",
        sa.Column("search_id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False, index=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("query", sa.String, nullable=False),
    )
    op.create_table(
        "playlists",
        sa.Column("playlist_id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
    )
    op.create_table(
        "clips",
        sa.Column("clip_id", sa.Integer, primary_key=True),
        sa.Column("playlist_id", sa.Integer, nullable=False, index=True),
        sa.Column("landing_key", sa.String, nullable=False, index=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("text", sa.String, nullable=False),
    )
    op.create_table(
        "coaching",
        sa.Column("coaching_id", sa.Integer, primary_key=True),
        sa.Column("agent_id", sa.String, nullable=False, index=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("due", sa.Date),
        sa.Column("about", sa.Integer),
        sa.Column("landing_key", sa.String, index=True),
        sa.Column("start_s", sa.Float),
    )
