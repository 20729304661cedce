"""The page's second form: a table of results, plots of it, and galaxies to look at and judge."""
