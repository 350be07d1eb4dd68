"""Alembic: one file a revision under `versions/`.

`understudy db upgrade` and every process that opens the store at start run what is missing, under a lock, so several
may start at once. A revision must leave the previous version of the program working beside the new schema: add with
defaults, fill later, drop only what no running version reads.
"""
