"""Benchmarks: each prints a table beside its peers, and exits with 1 when a required figure is missed.

`overhead` measures the data path (throughput, latency, streaming, memory, /stats); `storage` what the log costs.
Figures are taken on the machine at hand, peers in the same run, and are never part of the tests.
"""
