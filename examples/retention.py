# %% [markdown]
# # What goes with staying, for a researcher
#
# Opens the warehouse read-only with DuckDB and pandas. It needs outcomes (`warmline outcomes load`)
# and `pip install 'warmline[research]'`. The same as a command: `warmline research retention`.

# %%
import os
from pathlib import Path

import duckdb
import pandas as pd
import statsmodels.formula.api as smf

from warmline.research import Design, Effects
from warmline.research.power import Plan, detectable, needed
from warmline.research.report import write_report
from warmline.research.study import lead, run_study

WAREHOUSE = Path(os.environ.get("WARMLINE_WAREHOUSE", "warehouse.duckdb"))
REPORT = Path(os.environ.get("WARMLINE_REPORT", "research-retained"))
pd.set_option("display.width", 120)
pd.set_option("display.max_columns", 20)
con = duckdb.connect(str(WAREHOUSE), read_only=True)

# %% [markdown]
# ## Which outcomes there are, and which have no call
# What is not matched may differ from what is: look here before anything is fitted.

# %%
matching = con.sql(
    "SELECT name, coalesce(unmatched_reason, 'matched') AS what, count(*) AS outcomes "
    "FROM outcome_calls GROUP BY ALL ORDER BY ALL"
).df()
print(matching)

# %% [markdown]
# ## Looking before fitting
# How the customer's state at the beginning goes with how much was answered *and* with staying: what
# moves both makes answering look better or worse than it is.

# %%
rows = con.sql(
    """
    SELECT o.value AS retained, sole_agent(o.agent_id, calls.agents) AS agent_id,
        calls.answered_rate, calls.contact_reason,
        ln(calls.duration_s) AS log_duration, opening.opening_cues,
        strftime(calls.started_at, '%Y-%m') AS month
    FROM outcomes_within('retained', 90) AS o
    INNER JOIN call_summary AS calls USING (call_id)
    LEFT JOIN customer_opening AS opening USING (call_id)
    WHERE NOT o.is_simulated
    """
).df()
print(rows.groupby("opening_cues")[["answered_rate", "retained"]].agg(["mean", "count"]).round(3))
print(f"no answered rate, as nothing was felt: {rows['answered_rate'].isna().mean():.0%} of calls")

# %% [markdown]
# ## The question, written down first
# Agents compared with themselves; reason, duration, queue and the opening held equal.

# %%
design = Design(measures=("answered_rate", "ownership", "reflections"), min_n=60)
study = run_study(WAREHOUSE, design)
print(lead(study))
for caution in study.cautions:
    print("-", caution)

# %% [markdown]
# ## Raw beside adjusted
# In percentage points per SD. Where the two lie far apart, it matters who took the call and how it
# began.

# %%
table = pd.DataFrame(
    {
        "measure": a.measure,
        "n": a.n,
        "raw": a.raw.value * 100,
        "adjusted": a.adjusted.value * 100,
        "low": a.adjusted.low * 100,
        "high": a.adjusted.high * 100,
        "p corrected": a.p_corrected,
    }
    for a in study.told
    if a.raw and a.adjusted
)
print(table.round(2))

# %% [markdown]
# ## The same by hand
# A dummy for each agent instead of taking off means: the estimate is the same. Its usual clustered
# errors are not: they are too sure of themselves with few agents, which is why CR2 is used above.

# %%
complete = rows.dropna(subset=["answered_rate", "opening_cues", "agent_id"])
by_hand = smf.ols(
    "retained ~ answered_rate + opening_cues + log_duration + C(contact_reason) + C(month)"
    " + C(agent_id)",
    complete,
).fit(cov_type="cluster", cov_kwds={"groups": complete["agent_id"].factorize()[0]})
print(
    f"answered_rate: {by_hand.params['answered_rate']:+.3f}, se {by_hand.bse['answered_rate']:.3f}"
)

# %% [markdown]
# ## How much rests on the choices
# An association that is there with one set of choices only is not one to act on.

# %%
for effects in Effects:
    for controls in ((), design.controls):
        other = Design(measures=("answered_rate",), controls=controls, effects=effects, min_n=60)
        (found,) = run_study(WAREHOUSE, other).associations
        if found.adjusted:
            e = found.adjusted
            held = "controls" if controls else "nothing"
            value, low, high = e.value * 100, e.low * 100, e.high * 100
            print(f"{effects:<7} {held:<9} {value:+.1f} [{low:+.1f}, {high:+.1f}]")

# %% [markdown]
# ## How many calls it would take
# For two percentage points per SD; a fifth of the calls have neither outcome nor cue.

# %%
plan = Plan(outcome_sd=float(rows["retained"].std()), calls_per_agent=200, usable=0.8, tests=3)
print(f"calls to record: {needed(0.02, plan).within_recorded:,}")
print(f"seen with the calls there are: {detectable(len(complete), plan) * 100:.1f} points per SD")

# %% [markdown]
# ## The report
# One HTML file with pictures, what is missing, and what could confound it.

# %%
print(write_report(study, REPORT)[0].name)
con.close()
