"""From an incident to a remediation intent: an ordered list of gates, and the memory that the limits need."""
