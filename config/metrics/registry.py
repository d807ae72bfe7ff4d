"""The one registry of this process: ours, and not the library's, which any package may write to."""

from prometheus_client import CollectorRegistry, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a line more for each counter, which nobody asks for

REGISTRY = CollectorRegistry(auto_describe=False)
