"""Write a mock galaxy, as SDSS would have seen it, into a FITS file: something to measure where no image is at hand.

python mock_galaxy.py galaxy.fits [--band r] [--number 23]
"""

import argparse

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from p2p_keras.data.mocks.scene import simulate_galaxy

parser = argparse.ArgumentParser()
parser.add_argument("output")
parser.add_argument("--band", default="r", choices="griz")
parser.add_argument("--number", type=int, default=23, help="which galaxy; each has its own shape and brightness")
arguments = parser.parse_args()

galaxy = simulate_galaxy("sdss", seed=1, index=arguments.number, band=arguments.band)  # a 256 x 256 image and its truth

wcs = WCS(naxis=2)  # north up, east left, the image's middle at an arbitrary place on the sky
wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
wcs.wcs.crval = 180.0, 30.0
wcs.wcs.crpix = (galaxy.image.shape[1] + 1) / 2, (galaxy.image.shape[0] + 1) / 2
wcs.wcs.cdelt = -galaxy.pixel_scale / 3600.0, galaxy.pixel_scale / 3600.0

header = wcs.to_header()
header["BUNIT"] = "nanomaggy"  # flux of magnitude 22.5: the zero point is known from it
header["FILTER"] = galaxy.band
header["OBJECT"] = galaxy.name
header["TRUEMAG"] = (float(galaxy.mag_total), "total magnitude that was drawn")
fits.writeto(arguments.output, galaxy.image.astype(np.float32), header, overwrite=True)
print(f"{arguments.output}: {galaxy.name} in {galaxy.band}, {galaxy.mag_total:.2f} mag")
