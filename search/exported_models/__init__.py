"""Exported models: saved to disk or as ONNX, and used to predict new trials or single bins.

It may import ensembles, rescoring, workers, scoring and study.
"""
