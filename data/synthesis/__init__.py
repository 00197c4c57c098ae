"""Synthetic recordings with the layouts of the benchmark's seven datasets and known ground truth.

All layouts are simulated in the same way. ``latents`` draws smooth random trajectories, to which ``tasks`` add
templates that its trials share. ``neurons`` computes log-rates from them, and ``spiking`` draws spikes.
``ceiling_observer`` computes how well any model can score. ``nwb`` writes the files of a recording, and ``truth``
writes the ground truth.

May import nlb, nwb and the modules that all of data shares.
"""

from nlb_search.data.synthesis.recording import SynthesisOptions, synthesize

__all__ = ["SynthesisOptions", "synthesize"]
