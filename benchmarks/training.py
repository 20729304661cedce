"""Speed of training: images a second of a preset in each precision, with and without XLA, and by how far XLA differs.

    python benchmarks/training.py --preset isophote --data tfrecords --size 112
    python benchmarks/training.py --preset pix2prof --set width=0.25 --precision float32 --xla
    python benchmarks/training.py --devices 2          # MirroredStrategy on virtual CPU devices: does it work?

Prints a line of JSON for each case: wall and CPU seconds of the first step (tracing, compiling) and of those after it.
"""

from __future__ import annotations

import argparse
import json
import os
import time

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def main() -> None:
    """Measure the cases that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="isophote")
    parser.add_argument("--data", default="tfrecords")
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--precision", choices=PRECISIONS, nargs="*", default=PRECISIONS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="Setting of the network.")
    parser.add_argument("--xla", action="store_true", help="Measure each case compiled by XLA too.")
    parser.add_argument("--devices", type=int, default=1, help="Virtual CPU devices for MirroredStrategy.")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.devices > 1:
        mirrored(options)
        return
    for precision in options.precision:
        for xla in (False, True) if options.xla else (False,):
            print(json.dumps({"precision": precision, "xla": xla, **measure(options, precision, xla)}), flush=True)


def _parts(options: argparse.Namespace, precision: str):
    from p2p_keras.data.pipeline import make_dataset
    from p2p_keras.network.training.config import FitConfig, parse_assignment
    from p2p_keras.network.training.run import make_trainer

    settings = {f"model.{name}": value for name, value in map(parse_assignment, options.set)}
    values = {"preset": options.preset, "precision": precision, "batch_size": options.batch_size, **settings}
    trainer = make_trainer(FitConfig.from_mapping(values, "benchmark"), 1000)
    data = make_dataset(
        options.data, "train", batch_size=options.batch_size, image_sizes=(options.size,), seed=0, repeat=True
    )
    return trainer, data


def measure(options: argparse.Namespace, precision: str, xla: bool) -> dict:
    """Time one case; batches are drawn before, so that the input pipeline isn't part of it."""
    trainer, data = _parts(options, precision)
    trainer.compile(optimizer=trainer.optimizer, jit_compile=xla)
    batches = list(data.take(2))
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        loss = float(trainer.train_on_batch(*batches[0], return_dict=True)["loss"])
    except Exception as error:  # what XLA can't compile is an answer too
        return {"error": str(error)[:500]}
    figures = {"first_wall_s": time.perf_counter() - wall, "first_cpu_s": time.process_time() - cpu, "first_loss": loss}
    wall, cpu = time.perf_counter(), time.process_time()
    for step in range(options.steps):
        trainer.train_on_batch(*batches[step % 2])
    step_s = (time.perf_counter() - wall) / options.steps
    figures |= {"step_wall_s": step_s, "step_cpu_s": (time.process_time() - cpu) / options.steps}
    return {name: round(value, 4) for name, value in figures.items()} | {"images_per_s": options.batch_size / step_s}


def mirrored(options: argparse.Namespace) -> None:
    """Try MirroredStrategy with Keras' own fit."""
    import tensorflow as tf

    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * options.devices)
    with tf.distribute.MirroredStrategy([f"/cpu:{i}" for i in range(options.devices)]).scope():
        trainer, data = _parts(options, options.precision[0])
    print(trainer.fit(data, epochs=1, steps_per_epoch=options.steps, verbose=0).history)


if __name__ == "__main__":
    main()
