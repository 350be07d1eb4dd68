"""The owner's YAML file, as values: read once, checked whole, swapped whole.

    text ── document ──> plain values + positions ── settings (pydantic) ──> Settings
                                    └── consistency (names that must exist) ──┘
                                                          └── load ──> Configuration (settings, hash, router)

Every problem is reported at once, each with file, line, column, the bad value and the remedy (`problem`). `watch` keeps
the last good Configuration and replaces it when the file changes; what cannot change while running waits for a restart.
"""
