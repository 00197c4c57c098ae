"""The report of a study: a page that compares its best trial with others, and says what to try next.

It may import the figures of studies, and what they may import.
"""
