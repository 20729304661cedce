"""Measure one galaxy on a model server with the public stubs alone: no p2p_keras.

pip install tensorflow-serving-api astropy
python serving_client.py galaxy.fits 22.5 0.396 [localhost:8500 [isophote]]
"""

import sys

import grpc
import numpy as np
import tensorflow as tf
from astropy.io import fits
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

path, zero_point, pixel_scale = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
address, model = (sys.argv[4:] + ["localhost:8500", "isophote"][len(sys.argv) - 4 :])[:2]

with fits.open(path) as hdus:
    image = next(np.asarray(hdu.data, np.float32) for hdu in hdus if hdu.data is not None and hdu.data.ndim == 2)

request = predict_pb2.PredictRequest()
request.model_spec.name = model
request.model_spec.signature_name = "serving_default"
request.inputs["image"].CopyFrom(tf.make_tensor_proto(image[None]))  # [1, H, W], NaN where masked
request.inputs["zero_point"].CopyFrom(tf.make_tensor_proto([zero_point], tf.float32))
request.inputs["pixel_scale"].CopyFrom(tf.make_tensor_proto([pixel_scale], tf.float32))

# gRPC's own limit is 4 MiB, a 1024 x 1024 image; and a call without a deadline can hang for ever.
options = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]
with grpc.insecure_channel(address, options=options) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    try:
        response = stub.Predict(request, timeout=30)
    except grpc.RpcError as error:
        sys.exit(f"{path}: {error.code().name}: {error.details()}")

out = {name: tf.make_ndarray(proto)[0] for name, proto in response.outputs.items()}
print(f"# {path} {model} {response.model_spec.version.value} mag_total={out['mag_total']:.3f}")
print("# sma/arcsec mu/(mag/arcsec2) mu_err ellipticity pa/deg(from +x)")
for row in np.flatnonzero(out["valid"]):
    print(*(f"{out[name][row]:.4f}" for name in ("sma", "mu", "mu_err", "ellipticity", "pa")))
