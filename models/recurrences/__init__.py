"""Recurrences over the bins of a trial with custom gradients, which support ``torch.vmap``.

It must not import other modules of models.
"""
