"""Tables of a recording: units and trials, in NWB files and in folders of Kilosort and phy.

May import arrays, the modules of own about settings, intervals, row expressions and wording, and the modules that all
of data shares.
"""
