"""me-tANS: several coder states ("lanes") over one or more bit stacks.

One thread: one stack, two lanes that take turns. T threads: one stack and one lane each; thread t codes the
positions t, t + T, t + 2T, ... Positions are coded in groups of four (of a thread's own positions): first the
symbols of the group, then its escaped values; what is left at the end is coded one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..codestream.substreams import SubStream, join_threads, split_threads
from ..errors import InvalidStream
from .bit_stack import BitStack, BitStackWriter
from .coding_tables import STATE_BITS, CodingTable

GROUP = 4


def _lane_count(threads: int) -> int:
    return 2 if threads == 1 else 1


def _groups(count: int, thread: int, threads: int) -> Iterator[range]:
    """The groups of positions of a thread among `count` positions, in coding order."""
    stride = GROUP * threads
    full = count // stride * stride
    for start in range(thread, full, stride):
        yield range(start, start + stride, threads)
    for position in range(full + thread, count, threads):
        yield range(position, position + 1)


class MeTansDecoder:
    """Decodes rows of values; the state goes on from row to row."""

    def __init__(self, sub_stream: SubStream, threads: int) -> None:
        """Raises InvalidStream when a thread's share is missing or has no states."""
        self._place = sub_stream.place
        self._stacks = [BitStack(part) for part in split_threads(sub_stream, threads)]
        self._lanes = [[stack.pop(STATE_BITS) for _ in range(_lane_count(threads))] for stack in self._stacks]

    def decode_row(self, tables: Sequence[CodingTable | None]) -> list[int]:
        """One value per entry of `tables`; where it is None nothing is coded and the value is 0.

        Raises InvalidStream when the bits run out.
        """
        values = [0] * len(tables)
        for thread in range(len(self._stacks)):
            self._decode_thread(thread, tables, values)
        return values

    def _decode_thread(self, thread: int, tables: Sequence[CodingTable | None], values: list[int]) -> None:
        threads = len(self._stacks)
        stack, lanes = self._stacks[thread], self._lanes[thread]
        for group in _groups(len(tables), thread, threads):
            escaped = []
            for position in group:
                table = tables[position]
                if table is None:
                    continue
                lane = position // threads % len(lanes)
                state, machine = lanes[lane], table.machine
                values[position] = machine.symbol[state]
                lanes[lane] = machine.base[state] + stack.pop(machine.bits[state])
                if values[position] == table.escape:
                    escaped.append((position, table))
            for position, table in escaped:
                values[position] = table.pop_escaped(stack)

    def finish(self) -> None:
        """Check the end: the encoder starts from state 0 with empty stacks. Raises InvalidStream."""
        if any(any(lanes) for lanes in self._lanes) or not all(stack.empty for stack in self._stacks):
            raise InvalidStream(f"{self._place}: coder does not end in state 0 (damaged, or made for other weights)")


def encode_rows(rows: Sequence[tuple[Sequence[CodingTable | None], Sequence[int]]], threads: int) -> bytes:
    """Code rows of (tables, values) into a sub-stream: the inverse of `MeTansDecoder.decode_row` on each row.

    Values whose table is None are ignored. Raises ValueError when a value cannot be coded.
    """
    return join_threads([_encode_thread(rows, thread, threads) for thread in range(threads)])


def _encode_thread(
    rows: Sequence[tuple[Sequence[CodingTable | None], Sequence[int]]], thread: int, threads: int
) -> bytes:
    """One thread's stack: the decoder's steps undone from the last to the first."""
    stack = BitStackWriter()
    lanes = [0] * _lane_count(threads)
    for tables, values in reversed(rows):
        for group in reversed(list(_groups(len(tables), thread, threads))):
            coded = [(p, table) for p in reversed(group) if (table := tables[p]) is not None]
            for position, table in coded:
                if table.symbol_of(values[position]) == table.escape:
                    table.push_escaped(stack, values[position])
            for position, table in coded:
                lane = position // threads % len(lanes)
                symbol = table.symbol_of(values[position])
                lanes[lane], bits, count = table.machine.step_back(symbol, lanes[lane])
                stack.push(bits, count)
    for state in reversed(lanes):
        stack.push(state, STATE_BITS)
    return stack.to_bytes()
