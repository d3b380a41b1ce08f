"""Commit metadata: small text that comes back, and a chain that does not care how outputs were cut into calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.records import Output, Topic
from engine.shard.commit import Chain, Mark, read_mark, write_mark

OUTPUTS = st.lists(
    st.builds(
        Output,
        st.sampled_from(Topic),
        st.binary(max_size=4),
        st.none() | st.binary(max_size=4),
        st.integers(0, 3),
        st.just(()) | st.just((("a", b"b"),)),
        st.none() | st.integers(-1, 2),
    ),
    max_size=8,
)


@given(st.integers(0, 2**40), st.none() | st.integers(0, 2**62), st.none() | st.builds(Chain, st.integers(0, 2**62)))
def test_a_mark_comes_back(epoch: int, snapshot: int | None, chain: Chain | None) -> None:
    mark = Mark(epoch=epoch, kernel_id="k" * 64, snapshot=snapshot, chain=chain)
    text = write_mark(mark)
    assert read_mark(text) == mark
    assert len(text) < 1000


@given(st.text(max_size=50) | st.binary(max_size=50).map(lambda raw: raw.decode("latin-1")))
def test_foreign_metadata_is_no_mark(text: str) -> None:
    assert read_mark(text) is None


@given(OUTPUTS, st.integers(0, 8))
def test_the_chain_does_not_depend_on_the_cut(outputs: list[Output], at: int) -> None:
    assert Chain(5).extend(outputs) == Chain(5).extend(outputs[:at]).extend(outputs[at:])


@given(OUTPUTS, OUTPUTS)
def test_other_outputs_give_another_chain(left: list[Output], right: list[Output]) -> None:
    assert (Chain(0).extend(left) == Chain(0).extend(right)) == (left == right)
