"""Starting workers on this machine or in Slurm jobs, watching them, and showing how the search comes along.

It may import workers, scoring, study and sampling.
"""
