"""The outside, adapted to `engine.ports`: sources, codecs, publishers, sinks, stores, the embedded broker, the admin port."""
