"""Mock galaxies: drawn, rendered, measured and observed, each a pure function of a seed and an index.

No module here loads TensorFlow but `generate`, and that only to write shards in the parent process.
"""
