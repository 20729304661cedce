"""What ovmsclient, a third party's client of TensorFlow Serving's API, gets from a server.

``python ovms_client.py HOST:PORT MODEL VERSION IMAGES.npy OUTPUTS.npz``, in an environment with ovmsclient alone: asks
for status, metadata and the profiles of images (batch, height, width), which it writes; then for what must be refused.
Prints all that isn't an array as JSON.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from ovmsclient import make_grpc_client

ZERO_POINT, PIXEL_SCALE = 22.5, 0.4


def refusal(ask) -> str:
    """The kind of the error that a call ends with, and what it says."""
    try:
        ask()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "answered"


def main(address: str, model: str, version: str, images: str, outputs: str) -> None:
    """Ask the server."""
    client, number = make_grpc_client(address), int(version)
    image = np.load(images)
    numbers = {"zero_point": ZERO_POINT, "pixel_scale": PIXEL_SCALE}
    numbers = {name: np.full(len(image), value, "f4") for name, value in numbers.items()}
    answer = client.predict({"image": image, **numbers}, model, number, timeout=240.0)
    np.savez(outputs, **answer)
    small = {"image": image[:, :20, :20], **numbers}
    answers = {
        "status": client.get_model_status(model, number),
        "metadata": client.get_model_metadata(model, number),
        "shapes": {name: value.shape for name, value in answer.items()},
        "too small": refusal(lambda: client.predict(small, model, number)),
        "no such model": refusal(lambda: client.get_model_status("andromeda")),
    }
    print(json.dumps(answers, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
