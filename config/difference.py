"""What is different between two configurations, in words: names alone, since values may be secret."""

from __future__ import annotations

from collections.abc import Iterator

from config.settings import Settings


def difference(before: Settings, after: Settings) -> str:
    """One sentence for people, such as `rule 'labels' changed, rule 'plans' added, prices changed`."""
    return ", ".join([*_rules(before, after), *_sections(before, after)]) or "nothing that matters"


def _rules(before: Settings, after: Settings) -> Iterator[str]:
    old, new = ({rule.name: rule for rule in each.rules} for each in (before, after))
    yield from (f"rule {name!r} added" for name in new if name not in old)
    yield from (f"rule {name!r} removed" for name in old if name not in new)
    yield from (f"rule {name!r} changed" for name in new if name in old and new[name] != old[name])
    if [name for name in new if name in old] != [name for name in old if name in new]:
        yield "rules in another order"


def _sections(before: Settings, after: Settings) -> Iterator[str]:
    for name in Settings.model_fields:
        if name != "rules" and getattr(before, name) != getattr(after, name):
            yield f"{name} changed"
