"""An inspected recording as an HTML page, a terminal table and figures, with warnings about possible problems.

It may import what figures may import.
"""
