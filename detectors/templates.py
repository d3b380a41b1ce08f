"""The online template miner: lines of bytes in, template numbers out, in one pass and in bounded memory.

    "Connection from 10.0.0.7 closed after 31 s"   ─▶   7    describe(7).text == "Connection from <*> closed after <*> s"

Numbers are local to one miner and never change: when templates merge, the younger ones point to the survivor (`resolve`).
The `id` of a template is a hash of its text, hence equal on every shard as soon as the texts agree. The result is a
function of the sequence of lines alone, however it is cut into calls.

The design follows Drain (He et al., ICWS 2017) in comparing lines of equal length, but needs no tree: a hash of the masked
line answers almost all lines, and similarity never decides over plain words (see `template_index`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.line_shapes import SPARE_BYTES, fitting, make_memo
from detectors.template_growth import grown
from detectors.template_index import (
    BORN,
    FIRST_SIZES,
    NAMED,
    OVERFLOWED,
    SERVICE_MAX,
    TEMPLATES,
    TEMPLATES_MAX,
    UNIT,
    WILD,
    Sizes,
    make_index,
    sizes_max,
    survivors,
)
from detectors.template_lines import one_line
from detectors.template_mine import NO_TEMPLATE, mine_lines
from detectors.template_state import VERSION, ByteRows, index_columns, index_from
from detectors.template_sweep import load, sweep
from detectors.template_text import (
    EXAMPLE_BYTES_MAX,
    SPELLED_BYTES_MAX,
    SlotTexts,
    readable,
    slot_texts,
    template_id,
    template_text,
)
from detectors.tokens import LINE_BYTES_MAX, SMALL, tokens_room


class Template(NamedTuple):
    """A template as it stands. `text` shows each slot as `<*>`."""

    id: str  # 16 hex digits, the hash of the text with all digits beside letters masked
    text: str
    service: int
    lines: int
    example: str  # its first line, as it came
    born_id: str  # the id it had when it was born: the same for all its life, but only on this shard


FORGOTTEN: Final = Template("", "", -1, 0, "", "")


def _joined(lines: Sequence[bytes]) -> tuple[Sequence[bytes], NDArray[np.uint8], NDArray[np.int64]]:
    """The lines as they are mined, one after the other, and where each begins."""
    length = np.fromiter(map(len, lines), np.int64, len(lines))
    joined = b"".join(lines)
    if b"\n" in joined or length.max(initial=0) > LINE_BYTES_MAX:
        lines = [one_line(line[:LINE_BYTES_MAX]) if b"\n" in line else line[:LINE_BYTES_MAX] for line in lines]
        length = np.fromiter(map(len, lines), np.int64, len(lines))
        joined = b"".join(lines)
    offset = np.zeros(len(lines) + 1, np.int64)
    np.cumsum(length, out=offset[1:])
    return lines, np.frombuffer(joined + bytes(SPARE_BYTES), np.uint8), offset


class TemplateMiner:
    """All templates of one shard. Services are numbered by the caller; lines of two services never share a template.

    There is room for `templates_max` templates, `per_service_max` of one service, merged ones among them. Lines that fit no template while there is
    no room get -1 and are counted in `overflowed`; what was not seen for long makes room (`template_sweep`).
    """

    def __init__(self, templates_max: int, per_service_max: int) -> None:
        self._limits = (templates_max, per_service_max)
        self._room = tokens_room()
        self._memo = make_memo()
        first = Sizes._make(map(min, FIRST_SIZES, sizes_max(templates_max)))
        self._index = make_index(first)
        self._index.counts[[SERVICE_MAX, TEMPLATES_MAX]] = per_service_max, templates_max
        load(self._index)
        self._line = ByteRows()  # of each template the first line, from which its words are made when somebody asks

    def __len__(self) -> int:
        """Templates ever born, merged and forgotten ones too."""
        return int(self._index.counts[BORN])

    @property
    def held(self) -> int:
        """Templates that there are now, merged ones too: what counts against the limits."""
        return int(self._index.counts[TEMPLATES])

    def held_numbers(self) -> NDArray[np.int32]:
        """Their numbers, ascending. What is not among them and was given once is forgotten, and never comes again."""
        numbers: NDArray[np.int32] = self._index.template["number"][: self.held].astype(np.int32)
        return numbers

    @property
    def overflowed(self) -> int:
        """Lines so far that got no template because there was no room."""
        return int(self._index.counts[OVERFLOWED])

    @property
    def room_bytes(self) -> int:
        """The memory of the index as it stands. The templates' first lines come on top (`text_bytes`)."""
        return sum(part.nbytes for part in (*self._index, *self._room, *self._memo))

    @property
    def text_bytes(self) -> int:
        """The memory of the templates' first lines: SPELLED_BYTES_MAX each at most."""
        return self._line.nbytes

    def mine(self, lines: Sequence[bytes], service: NDArray[np.int64]) -> NDArray[np.int32]:
        """The template of each line; -1 where there is none. A record of several lines that is a stack trace counts as one line."""
        lines, buffer, offset = _joined(lines)
        out = np.empty(len(lines), np.int32)
        born = np.empty(len(lines), np.int64)
        row = 0
        while True:
            row = mine_lines(buffer, offset, service, (self._room, self._memo, self._index), (out, born), row)
            for first in born[: int(self._index.counts[TEMPLATES]) - len(self._line)].tolist():
                self._line.append(lines[first][:SPELLED_BYTES_MAX])
            if row < 0:
                row = ~row
                self._sweep()
            elif row < out.size:
                self._index = grown(self._index)
            else:
                self._memo = fitting(self._memo)
                return out

    def _sweep(self) -> None:
        self._line.keep(sweep(self._index))

    def _rows(self, number: NDArray[np.int32]) -> NDArray[np.int32]:
        """Where the templates with these numbers are; NO_TEMPLATE for those that are forgotten."""
        numbers = self._index.template["number"][: int(self._index.counts[TEMPLATES])]
        row = np.searchsorted(numbers, number).astype(np.int32)
        known = row < numbers.size
        known[known] = numbers[row[known]] == number[known]
        return np.where(known, row, np.int32(NO_TEMPLATE))

    def _spelled(self, row: int) -> tuple[bytes, str]:
        """The spelling of a template's first line, and the id that it was born with."""
        spelling = slot_texts(self._line[row], self._room)
        small = (self._room.flags[: self._index.template[row]["length"]] & SMALL) != 0
        never = np.zeros_like(small)
        return spelling, f"{template_id(template_text(spelling, SlotTexts(never, never, never, small))):016x}"

    def resolve(self, number: NDArray[np.int32]) -> NDArray[np.int32]:
        """The templates that stand for these now; -1 and what is forgotten stay."""
        rows = self._rows(number)
        out = np.empty_like(rows)
        survivors(self._index.template, rows, out)
        return np.where(rows >= 0, self._index.template["number"][out], number)

    def describe(self, number: int) -> Template:
        """The template that stands for `number` now; one without a text when it is forgotten."""
        born = self._rows(np.array([number], np.int32))
        if born[0] < 0:
            return FORGOTTEN
        standing = np.empty_like(born)
        survivors(self._index.template, born, standing)
        i = int(standing[0])
        row = self._index.template[i]
        slots = self._index.slot[row["first"] : row["first"] + row["length"]]
        marks, small = slots["marks"], (slots["marks"] & SMALL) != 0
        _, born_id = self._spelled(int(born[0]))
        spelling, _ = self._spelled(i)
        shown = SlotTexts((slots["hash"] == WILD) | ((marks & NAMED) != 0), slots["key"] != 0, (marks & UNIT) != 0, small)
        return Template(
            id=f"{template_id(template_text(spelling, shown)):016x}",
            text=template_text(spelling, shown._replace(varies=small & (slots["digits"] == 0))),
            service=int(row["service"]),
            lines=int(row["lines"]),
            example=readable(self._line[i][:EXAMPLE_BYTES_MAX]),
            born_id=born_id,
        )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """A copy of the whole state as named one-dimensional arrays."""
        columns = index_columns(self._index)
        columns["limits"] = np.array((VERSION, *self._limits), np.int64)
        columns["line"], columns["line_end"] = self._line.columns()
        return columns

    def restore(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Become the miner that was saved. Raises ValueError, and is unchanged, when it had other limits or is damaged."""
        limits = columns.get("limits")
        if limits is None or limits.tolist() != [VERSION, *self._limits]:
            raise ValueError(f"templates of another version or with other limits than {self._limits}")
        index = index_from(columns, self._limits[0])
        self._line = ByteRows.restored(columns, "line", int(index.counts[TEMPLATES]))
        self._index = index
