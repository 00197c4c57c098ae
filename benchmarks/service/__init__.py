"""Benchmarks of the service: database load, and searches with injected faults.

They may import ``benchmarks.shared`` and ``nlb_search``. The tests in tests/faults use the fault injection and the
checks.
"""
