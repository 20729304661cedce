"""From a trained Keras model to what is served: SavedModel, ONNX, their check, model card and server configuration."""
