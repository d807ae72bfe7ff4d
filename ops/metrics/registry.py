"""The one registry of this process: ours, and not the library's, which any package may write to."""

from prometheus_client import CollectorRegistry

REGISTRY = CollectorRegistry(auto_describe=False)
