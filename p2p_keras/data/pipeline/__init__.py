"""tf.data input pipeline: shards -> augmented, batched training examples."""

from p2p_keras.data.pipeline.augmentation import Augmentation
from p2p_keras.data.pipeline.dataset import make_dataset
from p2p_keras.data.pipeline.parsing import ParsedImages, parse_images

__all__ = ["Augmentation", "ParsedImages", "make_dataset", "parse_images"]
