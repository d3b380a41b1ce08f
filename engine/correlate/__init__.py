"""The correlate stage: from alerts to incidents, and from incidents to ranked causes."""
