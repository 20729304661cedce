"""Measure galaxies with the SavedModel and TensorFlow alone: no p2p_keras, no server.

pip install tensorflow astropy
python saved_model.py saved_models/isophote/5 22.5 0.396 galaxy.fits [more.fits ...]
"""

import sys

import numpy as np
import tensorflow as tf
from astropy.io import fits

folder, zero_point, pixel_scale, paths = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
model = tf.saved_model.load(folder)  # keep a reference: the signatures do not keep the weights alive
measure = model.signatures["serving_default"]

for path in paths:
    with fits.open(path) as hdus:
        image = next(np.asarray(hdu.data, np.float32) for hdu in hdus if hdu.data is not None and hdu.data.ndim == 2)
    try:
        outputs = measure(
            image=tf.constant(image[None]),  # [1, H, W], linear flux, NaN where masked
            zero_point=tf.constant([zero_point]),  # magnitude of unit flux
            pixel_scale=tf.constant([pixel_scale]),  # arcsec per pixel
        )
    except tf.errors.InvalidArgumentError as error:
        print(f"{path}: {error.message.splitlines()[-1]}", file=sys.stderr)
        continue
    out = {name: tensor.numpy()[0] for name, tensor in outputs.items()}
    print(f"# {path} mag_total={out['mag_total']:.3f} centre=({out['x0']:.2f}, {out['y0']:.2f})")
    print("# sma/arcsec mu/(mag/arcsec2) mu_err ellipticity pa/deg(from +x)")
    for row in np.flatnonzero(out["valid"]):
        print(*(f"{out[name][row]:.4f}" for name in ("sma", "mu", "mu_err", "ellipticity", "pa")))
