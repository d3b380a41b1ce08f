"""The first stage: records of one topic-partition in, alerts, changes and watermarks out."""
