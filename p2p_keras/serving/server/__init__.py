"""A gRPC model server of TensorFlow Serving's public API, for those who can't run TensorFlow Serving itself.

``limits`` (what a request may cost), ``refusals`` (why one is refused, as a gRPC status), ``tensors`` (TensorProto to
numpy and back), ``servable`` (one loaded version), ``repository`` (versions on disk), ``batching`` (requests to runs),
``service`` (the gRPC methods), ``metrics`` and ``logs`` (what an operator sees), ``model_server`` (all of it, started
and stopped). Nothing here knows galaxies: any SavedModel with batch-first signatures is served.
"""
