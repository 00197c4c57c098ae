"""The command line: the app, its options and what it prints; ``commands`` has one file for each group of commands.

It may import everything below it, and nothing imports it but ``nlb_search.__main__``.
"""
