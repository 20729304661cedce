"""Image to profile: exported models, many files, forced bands, and what is written of them."""
