"""The page that `p2p-keras view` serves: to measure galaxies on, and to judge a run by."""
