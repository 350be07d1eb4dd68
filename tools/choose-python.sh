#!/bin/sh
# Prints the Python that the virtual environment is made with: 3.11 or newer, able to make one, and the fastest of those
# found. Builds of the same version differ by a factor of two (docs/decisions/2026-11-22-the-interpreter-is-chosen-by-speed.md).
# PYTHON=/path/to/python make install  overrides it.
set -u

probe='
import sys
if sys.version_info < (3, 11) or sys.version_info >= (3, 14):
    sys.exit(1)
import ensurepip, time, venv

class Thing:
    def __init__(self, value):
        self.value = value

    def twice(self):
        return {"value": self.value * 2}

def loop():
    started = time.perf_counter()
    for number in range(20000):
        Thing(number).twice()["value"]
    return time.perf_counter() - started

print(int(min(loop() for _ in range(5)) * 1e6))
'

best='' best_time=''
for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3 /usr/local/bin/python3; do
    path=$(command -v "$candidate" 2>/dev/null) || continue
    time=$("$path" -c "$probe" 2>/dev/null) || continue
    if [ -z "$best" ] || [ "$((time * 10))" -lt "$((best_time * 9))" ]; then
        best=$path best_time=$time
    fi
done
if [ -z "$best" ]; then
    echo "choose-python: no Python 3.11, 3.12 or 3.13 with the venv module was found; install one, or set PYTHON" >&2
    exit 1
fi
echo "$best"
