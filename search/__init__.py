"""The search service: what its commands do. It may import every other room.

Its folders are floors, and each imports only from those below it: cli, dashboard, figures, submission, rescoring,
launching, workers, scoring, study, sampling, and then the modules of this folder.
"""
