"""The package's own version: every wing may name it, and nothing imports the root."""

__all__ = ["__version__"]

__version__ = "0.2.0"
