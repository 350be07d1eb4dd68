"""Curation (paper S2): what of the log may be learned from, and in what form.

    log ── source ──> examples ── duplicates, caps, feedback ──> kept ── privacy ──> data set (sealed, versioned)

Every call that is left out is counted under its reason, and the counts stand in the data set's manifest.
"""
