"""The search service: implements the commands. It may import every other top-level package.

Its packages are layers. Each imports only from the layers after it in this list: cli, dashboard, figures, submission,
rescoring, launching, workers, scoring, study, sampling, and then the modules of this folder.
"""
