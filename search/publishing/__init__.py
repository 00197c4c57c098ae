"""What a search publishes for optuna-dashboard: the study's note and figures, and pictures of trials.

It may import networks, scoring, study, trials, sampling and charts. Nothing here ever fails a trial or a worker.
"""
