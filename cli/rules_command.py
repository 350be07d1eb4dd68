"""`understudy rules`, with the store behind `explain --call` and `backtest`."""

from __future__ import annotations

from cli.backtest import backtest
from cli.rules import create_rules
from cli.stored_call import fetch_query

app = create_rules(fetch_query)
app.command("backtest")(backtest)
