"""Synthetic recordings: the layouts of the benchmark's seven datasets, with the truth known.

A recording is simulated in one way for all layouts. ``latents`` are smooth random trajectories, to which a ``task``
adds what its trials have in common; ``neurons`` turn them into log-rates and ``spiking`` these into spikes;
``observer`` tells how well any model can do; ``nwb`` writes what a lab would have, and ``truth`` what it would not.

It may import nlb, nwb and the modules that all of data shares.
"""

from nlb_search.data.synthesis.recording import SynthesisOptions, synthesize
from nlb_search.data.synthesis.truth import Ceiling, read_ceiling

__all__ = ["Ceiling", "SynthesisOptions", "read_ceiling", "synthesize"]
