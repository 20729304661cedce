"""Configuration files of TensorFlow Serving, written beside the models: models, batching, monitoring."""

from __future__ import annotations

from pathlib import Path

from p2p_keras.core.atomic_files import write_content
from p2p_keras.core.contract import BATCH_SIZES

__all__ = [
    "CONTAINER_FOLDER",
    "versions_of",
    "models_config",
    "batching_config",
    "monitoring_config",
    "write_server_config",
]

CONTAINER_FOLDER = "/models"
"""Where the official image expects models, and where our image has them."""


def versions_of(folder: Path) -> list[int]:
    """Versions of a model, ascending: the integer-named folders with a SavedModel."""
    children = Path(folder).iterdir() if Path(folder).is_dir() else []
    return sorted(
        int(child.name) for child in children if child.name.isdecimal() and (child / "saved_model.pb").exists()
    )


def models_config(names: list[str]) -> str:
    """``--model_config_file``: every model, its newest version."""
    entries = "".join(
        f'  config {{\n    name: "{name}"\n    base_path: "{CONTAINER_FOLDER}/{name}"\n'
        '    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ latest {{ num_versions: 1 }} }}\n  }}\n"
        for name in names
    )
    return f"# For --model_config_file. base_path is the path in the container.\nmodel_config_list {{\n{entries}}}\n"


def batching_config() -> str:
    """``--batching_parameters_file``: the batch sizes that the warm-up file has seen."""
    return (
        "# For --enable_batching --batching_parameters_file. Requests wait at most 5 ms for others.\n"
        "# serving_default joins only images of one size: TensorFlow Serving fails a batch of several sizes, and its\n"
        "# pad_variable_length_inputs would put false pixels round the smaller. Where clients send several sizes,\n"
        "# let them call serialized_example, which joins any. describe then answers only a request with an\n"
        "# output_filter, since it has no input to batch.\n"
        f"max_batch_size {{ value: {max(BATCH_SIZES)} }}\n"
        "batch_timeout_micros { value: 5000 }\n"
        "max_enqueued_batches { value: 64 }\n"
        "num_batch_threads { value: 4 }\n" + "".join(f"allowed_batch_sizes: {size}\n" for size in BATCH_SIZES)
    )


def monitoring_config() -> str:
    """``--monitoring_config_file``: metrics for Prometheus on the REST port."""
    return 'prometheus_config {\n  enable: true\n  path: "/monitoring/prometheus/metrics"\n}\n'


def write_server_config(saved_models: Path) -> list[Path]:
    """Write models.config (all models of the folder), batching.config and monitoring.config into `saved_models`.

    batching.config and monitoring.config are kept where they exist: they are for their server's keeper to tune.
    """
    folder = Path(saved_models)
    names = sorted(child.name for child in folder.iterdir() if child.is_dir() and versions_of(child))
    texts = {"models.config": models_config(names)}
    for name, text in (("batching.config", batching_config()), ("monitoring.config", monitoring_config())):
        if not (folder / name).exists():
            texts[name] = text
    return [write_content(folder / name, text) for name, text in texts.items()]
