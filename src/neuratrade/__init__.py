"""NeuraTrade: agents, rules and people propose; deterministic hands dispose."""

__version__ = "0.1.0"
