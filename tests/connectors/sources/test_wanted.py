"""Which topics are subscribed to, now and as time goes by."""

from connectors.sources.wanted import REFRESH_SECONDS, Wanted


def _wanted(*topics, refuse=lambda _: "", refresh=REFRESH_SECONDS):
    return Wanted(topics, ours={"foreshock.alerts"}, refuse=refuse, refresh_seconds=refresh)


def test_names_stand_and_patterns_are_filled_in():
    wanted = _wanted("b", "^a", "^b")
    assert wanted.settle(["c", "b", "a2", "a1", "bb"]) == (True, [])
    assert wanted.current == ["b", "a1", "a2", "bb"]
    assert wanted.settle(["c", "b", "a1", "a2", "bb"]) == (False, [])
    assert wanted.settle(["b", "a1"]) == (True, [])
    assert wanted.current == ["b", "a1"]


def test_a_pattern_never_means_the_brokers_topics_or_ours():
    wanted = _wanted("^.*")
    wanted.settle(["__consumer_offsets", "foreshock.alerts", "foreshock.other"])
    assert wanted.current == ["foreshock.other"]


def test_what_must_not_be_read_is_said_once():
    wanted = _wanted("^a", refuse=lambda name: f"{name}!" if name == "a2" else "")
    assert wanted.settle(["a1", "a2"]) == (True, ["a2!"])
    assert wanted.settle(["a1", "a2"]) == (False, [])
    assert wanted.current == ["a1"]


def test_the_broker_is_asked_again_only_for_patterns():
    assert not _wanted("a").is_time(1e9)
    wanted = _wanted("^a", refresh=0.5)
    assert [wanted.is_time(now) for now in (10.0, 10.4, 10.6, 11.0)] == [True, False, True, False]
    assert [_wanted("^a", refresh=300.0).is_time(now) for now in (100.0,)] == [True]


def test_what_is_keyed_anew_is_no_input_whatever_a_pattern_says():
    wanted = Wanted(["^"], ours=[], refuse=lambda _: "", our_head="foreshock.rekeyed.")
    wanted.settle(["shop", "foreshock.rekeyed.shop"])
    assert wanted.current == ["shop"]
