"""The laws of the template miner: what it groups, what it never groups, that cuts and restarts do not show, that it cannot grow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.templates import NO_TEMPLATE, TemplateMiner

WORDS = "user root admin up down disk eth0 eth1 ssh2 10.0.0.1 42 k=v k=w <1 sec (2 KB) bytes failed a/b x"
LINE = st.lists(st.sampled_from(WORDS.split()), max_size=6).map(lambda words: " ".join(words).encode())
LOG = st.lists(st.tuples(LINE, st.integers(0, 2)), max_size=60)


def miner(templates_max: int = 100, per_service_max: int = 50) -> TemplateMiner:
    return TemplateMiner(templates_max, per_service_max)


def mined(subject: TemplateMiner, lines: list[bytes]) -> list[int]:
    return subject.mine(lines, np.zeros(len(lines), np.int64)).tolist()


def state(subject: TemplateMiner) -> dict[str, bytes]:
    return {name: column.tobytes() for name, column in subject.snapshot().items()}


def text(subject: TemplateMiner, lines: list[bytes]) -> str:
    return subject.describe(mined(subject, lines)[-1]).text


@settings(deadline=None)  # the first call compiles
@given(LOG, st.sets(st.integers(0, 60)))
def test_cuts_of_the_stream_do_not_show(log: list[tuple[bytes, int]], cuts: set[int]) -> None:
    lines, services = [line for line, _ in log], np.array([s for _, s in log], np.int64)
    whole, parts = miner(40, 15), miner(40, 15)
    expected = whole.mine(lines, services)
    edges = [0, *sorted(c for c in cuts if c < len(lines)), len(lines)]
    got = [parts.mine(lines[a:b], services[a:b]) for a, b in pairwise(edges)]
    assert np.concatenate(got).tolist() == expected.tolist()
    assert state(parts) == state(whole)


@settings(deadline=None)
@given(LOG, LOG)
def test_a_restart_does_not_show(before: list[tuple[bytes, int]], after: list[tuple[bytes, int]]) -> None:
    whole, restarted = miner(40, 15), miner(40, 15)
    whole.mine([line for line, _ in before], np.array([s for _, s in before], np.int64))
    restarted.restore(whole.snapshot())
    lines, services = [line for line, _ in after], np.array([s for _, s in after], np.int64)
    assert restarted.mine(lines, services).tolist() == whole.mine(lines, services).tolist()
    assert state(restarted) == state(whole)


def test_a_snapshot_is_a_copy() -> None:
    subject = miner()
    mined(subject, [b"disk full on a"])
    columns = subject.snapshot()
    before = {name: column.copy() for name, column in columns.items()}
    mined(subject, [b"disk full on a", b"another line here", b"disk empty on b"])
    assert all(np.array_equal(columns[name], before[name]) for name in columns)


@pytest.mark.parametrize("damage", ["slot", "line", "line_end", "limits", "cache_key_at"])
def test_a_damaged_snapshot_changes_nothing(damage: str) -> None:
    source, subject = miner(), miner()
    mined(source, [b"one line", b"two lines here"])
    mined(subject, [b"what was before"])
    columns, before = source.snapshot(), state(subject)
    del columns[damage]
    with pytest.raises(ValueError, match="template"):
        subject.restore(columns)
    assert state(subject) == before


def test_growth_does_not_show() -> None:
    """An index grows in the middle of a batch as it does between two, and after a restart as before it."""
    lines = distinct(700)
    one, other = miner(2000, 2000), miner(2000, 2000)
    expected = mined(one, lines)
    got = mined(other, lines[:255])
    restarted = miner(2000, 2000)
    restarted.restore(other.snapshot())
    got += [mined(restarted, [line])[0] for line in lines[255:]]
    assert got == expected == list(range(700))
    assert state(restarted) == state(one)
    assert mined(one, lines) == expected
    assert one.room_bytes > miner().room_bytes


def test_room_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="other limits"):
        miner(100, 50).restore(miner(100, 51).snapshot())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("VM %s Started", "VM %s Paused"),
        ("login of %s success", "login of %s failure"),
        ("link %s is up", "link %s is down"),
        ("job %s state=succeeded after 5 s", "job %s state=failed after 5 s"),
        ("probe %s (true)", "probe %s (false)"),
        ("access to %s allowed", "access to %s denied"),
    ],
)
def test_lines_of_opposite_meaning_never_merge(one: str, other: str) -> None:
    subject = miner(400, 400)
    names = ["alpha", "beta", "gamma", "delta", "eta", "theta", "iota", "kappa", "n1", "n2", "10.0.0.1", "/var/log/x"]
    lines = [(form % name).encode() for name in names * 3 for form in (one, other)]
    index = subject.resolve(subject.mine(lines, np.zeros(len(lines), np.int64)))
    assert not set(index[0::2].tolist()) & set(index[1::2].tolist())


def test_a_slot_never_takes_in_a_polar_word() -> None:
    subject = miner()
    words = [b"alpha", b"beta", b"gamma", b"delta", b"zeta", b"started", b"stopped"]
    index = mined(subject, [b"the daemon reports %s today" % word for word in words])
    assert len(set(subject.resolve(np.array(index[:5], np.int32)).tolist())) == 1
    assert len(set(index[4:])) == 3


def test_a_word_that_takes_many_values_becomes_a_slot_and_its_lines_one_template() -> None:
    subject = miner()
    lines = [b"shipping parcel for %s today" % word for word in (b"anna", b"bert", b"carl", b"dora", b"emil")]
    index = np.array(mined(subject, lines), np.int32)
    assert set(subject.resolve(index).tolist()) == {0}
    assert subject.describe(0).text == "shipping parcel for <*> today"
    assert subject.describe(3) == subject.describe(0)._replace(born_id=subject.describe(3).born_id)
    assert subject.describe(0).lines == 5


def test_a_name_after_a_naming_word_is_a_value_at_first_sight() -> None:
    subject = miner()
    first, second = mined(subject, [b"session opened for user root by (uid=0)", b"session opened for user news by (uid=9)"])
    assert first == second
    assert subject.describe(first).text == "session opened for user <*> by (uid=<*>)"


@pytest.mark.parametrize(
    ("form", "values", "expected"),
    [
        (
            "Block %s stored (estimated size 5.2 %s, free 9.9 %s)",
            [("rdd_1", "KB", "MB"), ("rdd_2", "B", "KB")],
            "Block rdd_<*> stored (estimated size <*>, free <*>)",
        ),
        ("joined network %s as primary", [("'CalVisitor'",), ("'eduroam'",)], "joined network <*> as primary"),
        ("no answer from [Thunderbird_%s] datasource", [("A8",), ("C2",)], "no answer from <*> datasource"),
        ("carrier of %s is lost", [("eth0",), ("wlan1",)], "carrier of <*> is lost"),
        ("Failed password for %s from 10.0.0.1 port 22", [("root",), ("mallory",)], "Failed password for <*> from <*> port <*>"),
        (
            "handling event kind %s for container_17",
            [("CONTAINER_LAUNCH",), ("CONTAINER_CLEANUP",)],
            "handling event kind <*> for container_<*>",
        ),
        ("vacuum of %s finished early", [("line_items",), ("audit_log",)], "vacuum of <*> finished early"),
        ("offer via %s sent", [("alpha",), ("beta",)], "offer via <*> sent"),
        ("lock=1, tag=%s, name=%s", [("x", "phone"), ("y", "clock")], "lock=<*>, tag=<*> name=<*>"),
        (
            "drawn= %s, shown= %s, moved= %s",
            [("true", "false", "true"), ("false", "false", "false")],
            "drawn= <*> shown= <*> moved= <*>",
        ),
    ],
)
def test_what_looks_like_a_value_is_one_at_the_second_sight(form: str, values: list[tuple[str, ...]], expected: str) -> None:
    subject = miner()
    index = mined(subject, [(form % each).encode() for each in values])
    assert set(index) == {0}
    assert subject.describe(0).text == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("environment:user.name=zookeeper", "environment:user.home=zookeeper"),  # another key is another thing
        ("mDNS_Register: frequent changes", "mDNS_Deregister: frequent changes"),  # who speaks is no value
        ("isOpen true", "isOpen false"),  # one boolean is a statement
        ("state=up load=high", "state=down load=high"),
    ],
)
def test_what_says_something_else_is_another_template(one: str, other: str) -> None:
    first, second = mined(miner(), [one.encode(), other.encode()])
    assert first != second


def test_five_keys_are_five_templates() -> None:
    keys = ["java.version", "os.name", "user.name", "user.home", "host.name"]
    assert len(set(mined(miner(), [f"Server environment:{key}=x".encode() for key in keys]))) == 5


def test_a_slot_behind_a_key_keeps_the_key() -> None:
    subject = miner()
    record, again, word, other = mined(subject, [b"ready=1,mode=a", b"ready=2,mode=b", b"notified", b"begun=1,mode=a"])
    assert record == again
    assert len({record, word, other}) == 3


def test_words_that_met_in_one_slot_are_values_in_other_lines_too() -> None:
    subject = miner()
    mined(subject, [b"shipping parcel for %s today" % word for word in (b"anna", b"bert", b"carl", b"dora")])
    one, other = mined(subject, [b"parcel of anna came back", b"parcel of dora came back"])
    assert one == other


def test_a_digit_that_never_changes_belongs_to_the_name() -> None:
    assert text(miner(), [b"listening on ssh2 now"] * 3) == "listening on ssh2 now"


def test_a_digit_that_changes_is_a_value() -> None:
    assert text(miner(), [b"link eth0 ready", b"link eth1 ready"]) == "link eth<*> ready"


def test_the_id_does_not_depend_on_whether_a_digit_has_changed_yet() -> None:
    one, two = miner(), miner()
    (a,), (b, *_) = mined(one, [b"link eth0 ready"]), mined(two, [b"link eth0 ready", b"link eth1 ready"])
    assert one.describe(a).id == two.describe(b).id


@settings(deadline=None)
@given(st.permutations([f"copied {n} files to host{n}.example.org:80 in {n} ms" for n in range(3)] + ["cache warmed", "bye"]))
def test_ids_are_equal_on_every_shard_once_texts_agree(lines: list[str]) -> None:
    subject = miner()
    found = {subject.describe(i) for i in mined(subject, [line.encode() for line in lines])}
    assert {(t.id, t.text) for t in found} == {
        ("5bcf158ae78b3fa5", "copied <*> files to <*> in <*> ms"),
        ("f9111f2dfaa8965b", "cache warmed"),
        ("416d90fdfef12f9f", "bye"),
    }


def test_services_share_no_template_but_the_id() -> None:
    subject = miner()
    one, other = subject.mine([b"disk full", b"disk full"], np.array([3, 7], np.int64)).tolist()
    assert one != other
    assert subject.describe(one).id == subject.describe(other).id
    assert [subject.describe(i).service for i in (one, other)] == [3, 7]


def test_every_line_counts_for_one_template() -> None:
    subject = miner()
    lines = [b"", b"a b c", b"a b c", b"   ", b"x 1", b"x 2"]
    standing = set(subject.resolve(subject.mine(lines, np.zeros(len(lines), np.int64))).tolist())
    assert sum(subject.describe(i).lines for i in standing) == len(lines)
    assert text(subject, [b""]) == ""


# ------------------------------------------------------------------------------------------------------ limits
def distinct(count: int) -> list[bytes]:
    """Lines that have nothing in common and nothing that looks like a value."""
    letters = [bytes([97 + k % 26, 97 + k // 26 % 26, 97 + k // 676 % 26]) for k in range(count)]
    return [b"q" + w + b" r" + w + b" s" + w for w in letters]


def test_a_full_service_gets_no_more_templates_and_harms_no_other() -> None:
    subject = miner(100, 10)
    flood = mined(subject, distinct(300))
    assert flood.count(NO_TEMPLATE) == subject.overflowed == 290
    assert mined(subject, distinct(10)) == flood[:10]
    assert subject.mine([b"quiet service"], np.array([1], np.int64)).tolist() == [10]


def test_a_full_shard_gets_no_more_templates() -> None:
    subject = miner(20, 1000)
    assert max(mined(subject, distinct(500))) == 19
    assert len(subject) == 20


def test_state_does_not_grow_once_templates_ran_out() -> None:
    subject = miner(20, 20)
    mined(subject, distinct(1000))
    size = sum(column.nbytes for column in subject.snapshot().values())
    for batch in range(5):
        mined(subject, distinct(3000)[batch * 500 :])
    later = sum(column.nbytes for column in subject.snapshot().values())
    assert later <= size + 12 * subject.snapshot()["cache_key"].size + 4 * 1024


HOSTILE = {
    "invalid UTF-8": b"\xff\xfe\x80 caf\xc3 \xed\xa0\x80 end",
    "ten megabytes": b"long " * 2_000_000,
    "one token of ten megabytes": b"x" * 10_000_000,
    "only digits": b"0123456789" * 5_000,
    "digits and spaces": b"7 " * 30_000,
    "values without end": b"a1.b2=c3:" * 7_000,
    "all tokens different": b" ".join(b"t%06xz" % k for k in range(9_000)),
    "nothing but NUL": b"\x00" * 1_000,
    "escapes": b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J",
    "bidirectional": "user \u202egnp.exe\u202c \u2066x\u2069 opened".encode(),
    "punctuation": b"=+-/\\@.:,_" * 500,
    "our own mask": b"<*> <*> k=<*>",
    "new lines": b"a\nb\r\n\x0b\x0cc",
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_lines_are_only_lines(line: bytes) -> None:
    subject = miner()
    first, again, other = mined(subject, [line, line, b"an honest line"])
    assert first == again != other
    template = subject.describe(first)
    assert len(template.text) <= 4096 * 3
    assert template.example.isprintable() or "\ufffd" in template.example or "\t" in template.example
    assert not any(ord(c) < 0x20 or 0x202A <= ord(c) <= 0x202E for c in template.text + template.example)
    assert sum(column.nbytes for column in subject.snapshot().values()) < 40_000


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_get_a_template(lines: list[bytes]) -> None:
    subject = miner()
    assert all(0 <= i < len(lines) and isinstance(subject.describe(i).text, str) for i in mined(subject, lines))
