"""Tests, in folders like those of the code. A package, since some dependencies install another one named ``tests``."""
