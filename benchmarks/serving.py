"""Load on our model server: requests per second, latency, errors and memory; and the same model called directly.

python benchmarks/serving.py --model-base-path saved_models --model isophote --seconds 60

Everything runs on loopback on one machine, so clients and server share its cores. Each client sends one image, waits
for the answer and sends the next. The requests are serialized once, so that clients cost little beside the server; what
each side costs is told as processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def galaxy(size: int) -> np.ndarray:
    """An exponential disc on noise, float32 (size, size)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    noise = np.random.default_rng(1).normal(0.0, 0.02, (size, size))
    return (10.0 * np.exp(-np.hypot(x, y / 0.7) / (0.08 * size)) + noise).astype(np.float32)


def request_bytes(model: str, size: int) -> bytes:
    """A serialized PredictRequest of one image."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    inputs = {"image": galaxy(size)[None], "zero_point": np.float32([22.5]), "pixel_scale": np.float32([0.396])}
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request.SerializeToString()


class Server:
    """``python -m p2p_keras.serve`` as a child process."""

    def __init__(self, base: Path, *options: str, tree: Path = ROOT) -> None:
        command = [sys.executable, "-m", "p2p_keras.serve", "--model-base-path", str(base), "--port", "0", *options]
        self.started = time.perf_counter()
        environment = dict(os.environ, PYTHONPATH=str(tree))
        self.process = subprocess.Popen(command, cwd=tree, env=environment, stderr=subprocess.PIPE, text=True)
        self.seconds: dict[str, float] = {}
        self._news = threading.Condition()
        self._events: dict[str, dict] = {}
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self.address = f"127.0.0.1:{self.wait_for('listening')['port']}"
            self.wait_for("ready")
        except RuntimeError:
            self.process.kill()
            raise

    def _listen(self) -> None:
        for line in self.process.stderr:
            if line.startswith("{"):
                entry = json.loads(line)
                with self._news:
                    self._events.setdefault(entry["event"], entry)
                    self.seconds.setdefault(entry["event"], time.perf_counter() - self.started)
                    self._news.notify_all()

    def wait_for(self, event: str) -> dict:
        """Wait for the first log entry of an event."""
        with self._news:
            if not self._news.wait_for(lambda: event in self._events, timeout=600):
                raise RuntimeError(f"the server did not log '{event}'")
            return self._events[event]

    def memory_mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def processor_s(self) -> float:
        """Processor time spent so far, all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Stop it as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


def load(server: Server, request: bytes, clients: int, seconds: float) -> dict:
    """Closed loops of `clients` clients."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    errors: list[str] = []
    stop = time.perf_counter() + seconds

    def client(own: list[float]) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", 64 << 20)]
        with grpc.insecure_channel(server.address, options=options) as channel:
            call = channel.unary_unary(PREDICT)
            while time.perf_counter() < stop:
                start = time.perf_counter()
                try:
                    call(request, timeout=60)
                    own.append(time.perf_counter() - start)
                except grpc.RpcError as error:
                    errors.append(f"{error.code().name}: {error.details()}")

    before = server.memory_mib()
    start, server_s, clients_s = time.perf_counter(), server.processor_s(), time.process_time()
    threads = [threading.Thread(target=client, args=(own,)) for own in latencies]
    for thread in threads:
        thread.start()
    peak = before
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.25)
        peak = max(peak, server.memory_mib())
    took = time.perf_counter() - start
    server_s, clients_s = server.processor_s() - server_s, time.process_time() - clients_s
    all_ms = 1e3 * np.array([t for own in latencies for t in own] or [np.nan])
    return {
        "clients": clients,
        "requests": all_ms.size,
        "requests_per_s": all_ms.size / took,
        "p50_ms": float(np.median(all_ms)),
        "p99_ms": float(np.percentile(all_ms, 99)),
        "errors": len(errors),
        "first_error": errors[0] if errors else "",
        "server_ms_per_request": 1e3 * server_s / all_ms.size,
        "clients_ms_per_request": 1e3 * clients_s / all_ms.size,
        "memory_before_mib": before,
        "memory_peak_mib": peak,
        "memory_after_mib": server.memory_mib(),
    }


def direct(folder: Path, size: int, batch: int, seconds: float) -> dict:
    """The SavedModel called in a loop."""
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    measure = model.signatures["serving_default"]
    inputs = {
        "image": tf.constant(np.repeat(galaxy(size)[None], batch, axis=0)),
        "zero_point": tf.fill([batch], 22.5),
        "pixel_scale": tf.fill([batch], 0.396),
    }
    for _ in range(3):
        measure(**inputs)
    times = []
    spent = time.process_time()
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        start = time.perf_counter()
        measure(**inputs)["mu"].numpy()
        times.append(time.perf_counter() - start)
    spent = time.process_time() - spent
    ms = 1e3 * np.array(times)
    return {
        "batch": batch,
        "images_per_s": batch * len(ms) / (ms.sum() / 1e3),
        "processor_ms_per_image": 1e3 * spent / (batch * len(ms)),
        "p50_ms": float(np.median(ms)),
        "p99_ms": float(np.percentile(ms, 99)),
    }


def start_to_first_answer(base: Path, request: bytes, warm_up: bool) -> dict:
    """Seconds from the start of the process, and milliseconds of the first and the tenth answer."""
    server = Server(base, "--settle-seconds", "0", "--warm-up" if warm_up else "--no-warm-up")
    try:
        with grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary(PREDICT)
            milliseconds = []
            for i in range(10):
                start = time.perf_counter()
                call(request, timeout=120)
                milliseconds.append(1e3 * (time.perf_counter() - start))
                if i == 0:
                    first = time.perf_counter() - server.started
    finally:
        server.stop()
    return {
        "warm_up": warm_up,
        "listening_s": server.seconds["listening"],
        "ready_s": server.seconds["ready"],
        "first_answer_s": first,
        "first_call_ms": milliseconds[0],
        "tenth_call_ms": milliseconds[-1],
    }


def show(title: str, row: dict) -> None:
    cells = (f"{k}={v:.1f}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items() if v != "")
    print(f"{title:24s}", *cells, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-base-path", type=Path, default=ROOT / "saved_models")
    parser.add_argument("--model", default="isophote")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--size", type=int, default=256, help="pixels on a side")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--server-options", default="", help="further options of p2p_keras.serve, in one string")
    parser.add_argument("--output", type=Path, help="JSON file of all numbers")
    arguments = parser.parse_args()
    base, model = arguments.model_base_path.resolve(), arguments.model
    request = request_bytes(model, arguments.size)
    results: dict = {"model": model, "size": arguments.size, "seconds": arguments.seconds, "cores": os.cpu_count()}

    results["start"] = [start_to_first_answer(base, request, warm_up) for warm_up in (True, False)]
    for row in results["start"]:
        show("start", row)
    for mode, options in {"batching on": [], "batching off": ["--max-batch-size", "1"]}.items():
        server = Server(base, *options, *arguments.server_options.split())
        try:
            load(server, request, max(arguments.clients), min(5.0, arguments.seconds))
            results[mode] = [load(server, request, n, arguments.seconds) for n in arguments.clients]
        finally:
            server.stop()
        for row in results[mode]:
            show(mode, row)
    newest = max((p for p in (base / model).iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    results["direct"] = [direct(newest, arguments.size, n, min(arguments.seconds, 10.0)) for n in (1, 8, 16, 32, 64)]
    for row in results["direct"]:
        show("SavedModel in a loop", row)
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1))
    if any(row["errors"] for mode in ("batching on", "batching off") for row in results[mode]):
        sys.exit(1)


if __name__ == "__main__":
    main()
