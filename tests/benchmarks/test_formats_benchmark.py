"""The benchmark of formats runs, and measures the same points by every way."""

from benchmarks.formats import FORMATS, measure, run


def test_every_way_reads_every_point():
    for build in FORMATS.values():
        sample = build(True)
        assert len({measure(sample, way)[0] for way in sample.ways.values()} - {0}) == 1


def test_it_tells_points_a_second():
    told = run(quick=True, options=["otlp_metrics"])["formats"]
    assert told["otlp_metrics"].keys() == {"points", "bytes_per_record", "points_per_second", "ratio"}
