"""Starting workers on this machine or in Slurm jobs, watching them, and showing the progress of the search.

It may import workers, publishing, networks, scoring, study and sampling.
"""
