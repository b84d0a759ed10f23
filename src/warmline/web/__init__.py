"""The pages of `warmline serve`: a call to listen to and check, lists of calls, agents and teams.

Starlette serves them from one process; a page is HTML made here, and nothing is fetched from
anywhere else. The warehouse is only read; what people add lies in SQLite beside it (`store`).
"""
