"""Charts as data, and their drawing: as SVG by workers, by Plotly for pages, by Matplotlib for papers.

It knows no study and no recording, and may import nothing else of nlb_search.
"""
