"""What Prometheus sees of the server. Each server has its own registry, so that tests may start several."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters and histograms; `model` is a label only for models that exist, so that no client can grow them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        r = self.registry
        self.requests = Counter("p2p_requests", "Predict calls by outcome", ["model", "code"], registry=r)
        self.latency = Histogram(
            "p2p_request_seconds", "From open call to answer", ["model"], buckets=_SECONDS, registry=r
        )
        self.queue_seconds = Histogram("p2p_queue_seconds", "Wait for a run", ["model"], buckets=_SECONDS, registry=r)
        self.run_seconds = Histogram("p2p_run_seconds", "One run of a model", ["model"], buckets=_SECONDS, registry=r)
        self.batch_size = Histogram(
            "p2p_batch_size", "Images in one run of a model", ["model"], buckets=_SIZES, registry=r
        )
        self.queue_length = Gauge("p2p_queue_length", "Requests waiting for a run", registry=r)
        self.queue_pixels = Gauge("p2p_queue_pixels", "Elements in the waiting requests", registry=r)
        self.open_calls = Gauge("p2p_open_calls", "Predict calls open", registry=r)
        self.expired = Counter("p2p_expired", "Requests not run: deadline passed or client gone", registry=r)
        self.served_version = Gauge("p2p_served_version", "Newest version served", ["model"], registry=r)
        self.loads = Counter("p2p_loads", "Loads of a version by outcome", ["model", "outcome"], registry=r)
        self.load_seconds = Gauge("p2p_load_seconds", "Last load with its warm-up", ["model"], registry=r)

    def expose(self, host: str, port: int) -> int:
        """Serve the metrics over HTTP on any path (TensorFlow Serving's is /monitoring/prometheus/metrics).

        Returns
        -------
        int
            The port, also where 0 was asked for.
        """
        server, _thread = start_http_server(port, addr=host, registry=self.registry)
        return server.server_port
