"""The support desk of a made-up shop: how its customers write, and what a careful reader makes of it.

`wording` and `cues` are tables; `reading` finds label, urgency and order fields in a text by its cues; `replies` and
`plans` word answers. The ticket generator (`simulator.tickets`) knows the truth of what it writes; nothing here does.
"""
