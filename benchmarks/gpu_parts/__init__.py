"""The parts of ``benchmarks/gpu.py``: each measures one thing, in a separate process, and records it as it goes."""
