"""Tables on a terminal: without lines, and what may be long takes several rows rather than being cut."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table


def plain_table(*headings: str, folding: Collection[str] = (), figures: Collection[str] = ()) -> Table:
    """A table with these columns. Those of `folding` take several lines where the terminal is narrow, the others never
    do; those of `figures` stand on the right."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(
            heading,
            overflow="fold",
            no_wrap=heading not in folding,
            justify="right" if heading in figures else "left",
        )
    return table
