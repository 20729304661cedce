"""The SavedModel's string signature behind pythie-serving: ``python pythie_server.py BASE NAME PORT``.

Runs in pythie-serving's own environment, on what that brings and TensorFlow alone. Its servers take columns of one
feature each and answer one tensor, so a request is a column of tf.Examples, and the answer their mu. TensorFlow has a
process of its own: pythie-serving brings a copy of TensorFlow's protos, and one process takes only one.
"""

import functools
import multiprocessing
import signal
import sys
from concurrent import futures
from pathlib import Path


@functools.cache
def load(folder):
    """The SavedModel, in TensorFlow's process."""
    import tensorflow as tf

    return tf.saved_model.load(folder)


def measure(folder, examples):
    """Mu (N, K) of serialized tf.Examples, in TensorFlow's process."""
    import tensorflow as tf

    return load(folder).signatures["serialized_example"](examples=tf.constant(examples))["mu"].numpy()


def serve(base, name, port):
    """Serve until the process is ended."""
    import grpc
    from pythie_serving.abstract_wrapper import AbstractPythieServingPredictionServiceServicer, ModelSpecs
    from pythie_serving.tensorflow_proto.tensorflow_serving.apis import prediction_service_pb2_grpc
    from pythie_serving.tensorflow_proto.tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    tensorflow = futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    class Servicer(AbstractPythieServingPredictionServiceServicer):
        model_file_extension = ""

        def _create_model_specs(self, model_config):
            versions = [p for p in Path(model_config.base_path, model_config.name).iterdir() if p.name.isdigit()]
            newest = str(max(versions, key=lambda path: int(path.name)))
            return ModelSpecs(
                model=newest, feature_names=["examples"], nb_features=1, samples_dtype=object, extra_specs=None
            )

        def _predict(self, model_specs, samples):
            return tensorflow.submit(measure, model_specs["model"], list(samples[:, 0])).result()

    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base, model_platform="tensorflow")
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    if not server.add_insecure_port(f"127.0.0.1:{port}"):
        sys.exit(f"port {port} is taken")
    servicer = Servicer(model_server_config=config)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    server.start()
    # An exit ends TensorFlow's process too; the signal alone would leave it behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server.wait_for_termination()


if __name__ == "__main__":
    serve(*sys.argv[1:])
