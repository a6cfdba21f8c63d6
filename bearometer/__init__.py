"""The nouns that every part of Bearometer shares, and the wiring that starts the parts."""

__version__ = "0.1.0"
