"""`GET /metrics`: requests, runs and the queue, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.runs import Runs

__all__ = ["Counted", "Metrics"]


class _RunsNow(Collector):
    """Runs by state and in the queue, as they are when somebody asks."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What there is now."""
        states = GaugeMetricFamily("landcast_runs", "Runs by state.", labels=["state"])
        for state, count in self._runs.counts.items():
            states.add_metric([state], count)
        yield states
        waiting = self._runs.waiting
        yield GaugeMetricFamily("landcast_queue", "Runs that wait for a slot.", waiting)


class Metrics:
    """What is counted.

    Attributes:
        requests: Requests by method, address and status.
        seconds: How long they took until the answer began.
    """

    def __init__(self, runs: Runs) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_RunsNow(runs))
        self.requests = Counter(
            "landcast_requests",
            "Requests.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "landcast_request_seconds",
            "Seconds until an answer began.",
            ["route"],
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)


class Counted:
    """Counts requests on their way."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it when its answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The pattern of the address: one for all runs. Unknown ones count as one.
                route = getattr(scope.get("route"), "path", "") or "unknown"
                method, status = scope["method"], str(message["status"])
                self._metrics.requests.labels(method, route, status).inc()
                self._metrics.seconds.labels(route).observe(time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, sent)
