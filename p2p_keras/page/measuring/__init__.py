"""The page's first form: an image, a click, a profile."""
