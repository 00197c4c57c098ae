"""The import name of nlb-search. Each package in it is a link to the folder of that name at the top of the repository.

So an installed user gets one name, `nlb_search`, and the four folders stay where they are.
"""
