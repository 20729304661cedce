"""Photometry along ellipses: sampling and the classical fit, with numpy alone."""
