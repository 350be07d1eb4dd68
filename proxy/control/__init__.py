"""The control pages: health, statistics, metrics, calls. FastAPI; never on an agent's way to its answer.

They read the store through `Readings`, a seam that this package owns: with the database away the pages say so and still
tell what is known without it (shipping lag, configuration, workers).
"""
