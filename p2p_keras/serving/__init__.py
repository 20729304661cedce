"""Where a model is served: a gRPC server of TensorFlow Serving's API, and its client."""
