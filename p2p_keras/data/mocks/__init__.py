"""Mock galaxies: drawn, rendered, measured and observed, each a pure function of a seed and an index."""
