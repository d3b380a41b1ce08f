"""A small shop that is not there: seeded telemetry of 18 services with faults and harmless surprises, for demos and tests.

`shop` is the standing system, `scenario` what happens to it and when, `signals` the numbers, `messages` the bytes, and
`python -m connectors.simulator` the process that produces them to Kafka.
"""
