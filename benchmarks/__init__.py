"""Programs that reproduce the published measurements. Run each from the root of the repository.

Example: ``python -m benchmarks.speed.one_trial``. ``make demo``, ``make bench`` and ``make gpu`` run ``demo``,
``bench`` and ``gpu``. Benchmarks may import any module of ``nlb_search``; ``nlb_search`` does not import them.
"""
