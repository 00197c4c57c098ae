"""What the service costs and withstands: the load on the database, and searches under faults.

It may import shared and ``nlb_search``. The tests in tests/faults use its fault injection and its checks.
"""
