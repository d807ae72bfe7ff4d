"""The registry of this process. Any package may write to the library's own."""

from prometheus_client import CollectorRegistry

REGISTRY = CollectorRegistry(auto_describe=False)
