"""Profile tables: built from a model's outputs, written and read in every format."""
