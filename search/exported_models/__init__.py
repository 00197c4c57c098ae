"""Models that are kept after a search: on disk, as ONNX, predicting new trials or bin by bin.

It may import ensembles, rescoring, workers, scoring and study.
"""
