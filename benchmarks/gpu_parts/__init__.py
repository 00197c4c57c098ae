"""The parts of ``benchmarks/gpu.py``. Each runs in a separate process and writes its results as soon as it has them."""
