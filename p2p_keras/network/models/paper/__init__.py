"""The network of Smith et al. (2021) and two variants that answer what its authors found missing."""
