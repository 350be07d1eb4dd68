"""Scorers: does the understudy's answer do what the LLM's does? One file for each kind of answer, all pure."""
