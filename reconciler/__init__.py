"""Hold the access that git declares against the access that is live, and correct what was approved."""

__version__ = "0.1.0"
