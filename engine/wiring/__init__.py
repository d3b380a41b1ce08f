"""Builds what runs: the only place that knows both the domain and the connectors. No logic beyond putting parts together."""
