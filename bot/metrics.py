"""What monitoring reads at ``/metrics``, in Prometheus' words."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bot.model import State
from bot.store.polls import Poll


class Metrics:
    """Counters of this process, and gauges of the whole ledger."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._polls = Counter("wardwatch_polls", "Polls of sources", ["status"], registry=self.registry)
        self._seconds = Histogram("wardwatch_poll_seconds", "Time of a poll", registry=self.registry)
        self._advisories = Counter("wardwatch_advisories", "Advisories taken in", ["what"], registry=self.registry)
        self._alerts = Counter("wardwatch_alerts_owed", "Deliveries owed by polls", registry=self.registry)
        self._deliveries = Gauge("wardwatch_deliveries", "Deliveries in each state", ["state"], registry=self.registry)
        self._failing = Gauge("wardwatch_sources_failing", "Sources whose last poll failed", registry=self.registry)

    def polled(self, poll: Poll) -> None:
        """One poll is done."""
        self._polls.labels(poll.status).inc()
        self._seconds.observe(poll.seconds)
        self._advisories.labels("new").inc(poll.new)
        self._advisories.labels("revised").inc(poll.revised)
        self._alerts.inc(poll.alerts)

    def stands(self, counts: Mapping[State, int], failing: int) -> None:
        """How the ledger and the sources stand."""
        for state, number in counts.items():
            self._deliveries.labels(state.value).set(number)
        self._failing.set(failing)
