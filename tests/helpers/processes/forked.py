"""Processes of tests that use the storage. They are forked from one that has imported it, which takes half a second."""

import multiprocessing

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["nlb_search.storage.claims.claims", "nlb_search.storage.studies"])
