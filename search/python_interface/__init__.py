"""The public interface for notebooks and programs: recordings, studies, exported models and scores.

``nlb_search`` exposes its functions. It imports from all layers of search except ``cli``, its peer.
"""
