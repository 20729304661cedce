"""Ideas that the whole package shares, each defined once, and what its programs share."""
