"""The search service: implements the commands. It may import every other top-level package.

Its packages are layers. Each imports only from the layers after it in this list: cli and python_interface, dashboard
and doctor, figures, submission, exported_models, ensembles, rescoring, launching, workers, publishing, networks,
scoring, creation, study, trials, sampling, and then the modules of this folder.
"""
