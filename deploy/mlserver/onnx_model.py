"""MLServer's runtime for model.onnx: KServe's v2 protocol over REST and gRPC, without TensorFlow and p2p_keras.

Beside it model-settings.json names it. `pip install mlserver onnxruntime`, copy model.onnx here, `mlserver start .`.
"""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class OnnxModel(MLModel):
    """One ONNX file, run on a CPU."""

    async def load(self) -> bool:
        """Load the file that model-settings.json names."""
        path = await get_model_uri(self._settings)
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Measure a batch. The file itself checks nothing: what the SavedModel refuses has to be refused here."""
        feeds = {tensor.name: NumpyCodec.decode_input(tensor).astype("float32") for tensor in payload.inputs}
        if missing := {"image", "zero_point", "pixel_scale"} ^ set(feeds):
            raise InferenceError(f"inputs are image, zero_point and pixel_scale; wrong or missing: {sorted(missing)}")
        sides = feeds["image"].shape[1:]
        if feeds["image"].ndim != 3 or not all(48 <= side <= 2048 for side in sides):
            raise InferenceError(f"image is [batch, height, width] of 48 to 2048 px a side, not {list(sides)}")
        if not feeds["image"].shape[0] == feeds["zero_point"].size == feeds["pixel_scale"].size:
            raise InferenceError("zero_point and pixel_scale have one value for each image")
        values = self._session.run(self._outputs, feeds)
        outputs = [NumpyCodec.encode_output(name, value) for name, value in zip(self._outputs, values, strict=True)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
