# %% [markdown]
# # A week of calls, for a QA lead
#
# Opens the warehouse read-only with DuckDB and reads it with polars. Set `WARMLINE_WAREHOUSE` to
# the file, or put it beside you as `warehouse.duckdb`.

# %%
import os
from pathlib import Path

import duckdb
import polars as pl

from warmline.query.questions import ask_named

WAREHOUSE = Path(os.environ.get("WARMLINE_WAREHOUSE", "warehouse.duckdb"))
con = duckdb.connect(str(WAREHOUSE), read_only=True)
pl.Config.set_tbl_hide_dataframe_shape(True)
pl.Config.set_tbl_cols(20)
pl.Config.set_fmt_str_lengths(60)

# %% [markdown]
# ## What is here, and what could not be heard
# NULL is not zero: a call without roles has no ledger, and says why.

# %%
calls = con.sql(
    "SELECT call_id, status, started_at, agent_id, queue, opportunities, answerable, answered, "
    "no_ledger_reason FROM call_summary"
).pl()
print(calls.group_by("status").len().sort("len", descending=True))
print(calls.filter(pl.col("no_ledger_reason").is_not_null()).group_by("no_ledger_reason").len())

# %% [markdown]
# ## Which feelings go unanswered
# Every named question of `warmline query --list` can be asked from here, too.


# %%
def question(name: str, **parameters: object) -> pl.DataFrame:
    """The answer to a named query as a frame."""
    answer = ask_named(WAREHOUSE, name, parameters)
    return pl.DataFrame(answer.rows, schema=list(answer.columns), orient="row")


print(question("answers_by_kind").select("kind", "answer", "cues", "share"))

# %% [markdown]
# ## Answered rates by queue
# Rates are of sums, never means of rates: a call with one cue must not weigh as much as one of ten.

# %%
by_queue = (
    calls.group_by("queue")
    .agg(pl.len().alias("calls"), pl.col("answerable").sum(), pl.col("answered").sum())
    .with_columns((pl.col("answered") / pl.col("answerable")).alias("answered_rate"))
    .sort("answered_rate")
)
print(by_queue)

# %% [markdown]
# ## Agents, compared only where there is enough
# `agent_week` draws small numbers towards the team and says "above the team" only where even the
# lower end of the interval is. Who has too few cues is not in this table.

# %%
weeks = con.sql(
    "SELECT agent_id, week, answerable, answered_rate, answered_low, answered_high, "
    "answered_shrunken, others_rate, is_above_team FROM agent_week WHERE is_enough ORDER BY week"
).pl()
print(weeks.head(8))
print(
    f"above the team: {weeks.filter(pl.col('is_above_team')).height} of {weeks.height} agent weeks"
)

# %% [markdown]
# ## What to listen to first
# File and times, so that a person hears and decides.

# %%
worst = question("calls_to_listen_to", each=3).filter(pl.col("pile") == "worst")
print(worst.select("call_id", "answered_rate", "listen_at_s"))
con.close()
