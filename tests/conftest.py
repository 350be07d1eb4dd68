"""What holds for every test: Hypothesis judges values, never time, because the machines that run us are shared; and
Ctrl-C interrupts, also where the tests were started in the background of a script, which leaves it ignored."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("untimed")

signal.signal(signal.SIGINT, signal.default_int_handler)
