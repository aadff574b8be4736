"""Coding tables of me-tANS: a finite-state machine of 256 states per probability distribution.

A table gives 256 slots to the symbols, as many to each as its probability mass p. The slots of a symbol,
numbered x = p, p + 1, ..., 2p - 1, are its decoding states: n = 8 - floor(log2 x) bits are read and the next
state is (x << n) - 256 plus those bits. Values without a slot of their own are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from .bit_stack import BitStack, BitStackWriter
from .residual_masses import RESIDUAL_MASSES

STATES = 256
STATE_BITS = 8
Z_ESCAPE = 63
Z_ESCAPE_BITS = 6
Z_SYMBOLS = 63


@dataclass(frozen=True)
class StateMachine:
    """Decoding entries by state, and the slots of each symbol for encoding."""

    symbol: tuple[int, ...]
    bits: tuple[int, ...]
    base: tuple[int, ...]
    """Next state before the bits are added."""
    slots: dict[int, tuple[int, ...]]
    """Symbol -> its states in the order of x."""

    @classmethod
    def build(cls, slots: dict[int, tuple[int, ...]]) -> StateMachine:
        """The machine in which every symbol owns the given states, 256 in all."""
        symbol, bits, base = [0] * STATES, [0] * STATES, [0] * STATES
        for value, states in slots.items():
            for x, state in enumerate(states, start=len(states)):
                symbol[state] = value
                bits[state] = STATE_BITS + 1 - x.bit_length()
                base[state] = (x << bits[state]) - STATES
        return cls(tuple(symbol), tuple(bits), tuple(base), slots)

    def step_back(self, symbol: int, next_state: int) -> tuple[int, int, int]:
        """The state that decodes `symbol` into `next_state`, with the bits to push and their count."""
        states = self.slots[symbol]
        bits = 0
        while (next_state + STATES) >> bits >= 2 * len(states):
            bits += 1
        x = (next_state + STATES) >> bits
        return states[x - len(states)], next_state & ((1 << bits) - 1), bits


class CodingTable(Protocol):
    """A state machine with the rules for its escaped values."""

    @property
    def machine(self) -> StateMachine:
        """The states of the table."""

    @property
    def escape(self) -> int:
        """The symbol that announces an escaped value."""

    def symbol_of(self, value: int) -> int:
        """The symbol that codes `value`, possibly the escape."""

    def pop_escaped(self, stack: BitStack) -> int:
        """Read a value that was escaped."""

    def push_escaped(self, stack: BitStackWriter, value: int) -> None:
        """Write a value that is escaped."""


@dataclass(frozen=True)
class ResidualTable:
    """Coding table of a residual distribution; values of magnitude `bound` and more are escaped."""

    machine: StateMachine
    bound: int

    @property
    def escape(self) -> int:
        """The symbol -bound stands for the escape."""
        return -self.bound

    def symbol_of(self, value: int) -> int:
        """The value itself inside the bound, else the escape."""
        return value if abs(value) < self.bound else self.escape

    def pop_escaped(self, stack: BitStack) -> int:
        """One bit tells whether 3 or 16 bits follow; their lowest is the sign."""
        code = stack.pop(3 if stack.pop(1) else 16)
        magnitude = (code >> 1) + self.bound
        return -magnitude if code & 1 else magnitude

    def push_escaped(self, stack: BitStackWriter, value: int) -> None:
        """Raises ValueError when the magnitude does not fit 15 bits above the bound."""
        code = (abs(value) - self.bound) << 1 | (value < 0)
        if code >= 1 << 16:
            raise ValueError(f"residual {value} cannot be coded")
        short = code < 8
        stack.push(code, 3 if short else 16)
        stack.push(int(short), 1)


@dataclass(frozen=True)
class ZTable:
    """Coding table of one channel of the hyper latents; symbols without mass are escaped."""

    machine: StateMachine
    escape: int = Z_ESCAPE

    def symbol_of(self, value: int) -> int:
        """The value itself when it has slots, else the escape."""
        return value if value in self.machine.slots else self.escape

    def pop_escaped(self, stack: BitStack) -> int:
        """Six bits."""
        return stack.pop(Z_ESCAPE_BITS)

    def push_escaped(self, stack: BitStackWriter, value: int) -> None:
        """Six bits."""
        stack.push(value, Z_ESCAPE_BITS)


def _residual_slots(masses: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Slots of a residual distribution: every symbol has one run in each half of the states.

    With C the cumulative mass before a symbol and p its mass, the runs are
    [C - floor(C/2), C + p - floor((C+p)/2)) and [128 + floor(C/2), 128 + floor((C+p)/2)).
    """
    slots = {}
    start = 0
    for order, mass in enumerate(masses):
        symbol = -(order + 1) // 2 if order % 2 else order // 2
        stop = start + mass
        lower = range(start - start // 2, stop - stop // 2)
        upper = range(STATES // 2 + start // 2, STATES // 2 + stop // 2)
        slots[symbol] = (*lower, *upper)
        start = stop
    return slots


@cache
def residual_tables() -> tuple[ResidualTable, ...]:
    """The 32 residual coding tables of the standard."""
    return tuple(
        ResidualTable(StateMachine.build(_residual_slots(masses)), len(masses) // 2) for masses in RESIDUAL_MASSES
    )


def z_table(cumulative: Sequence[int]) -> ZTable:
    """Coding table of a channel of z from its 63 cumulative counts (0..255, last 255); slot 255 is the escape."""
    slots: dict[int, tuple[int, ...]] = {Z_ESCAPE: (STATES - 1,)}
    start = 0
    for symbol, stop in enumerate(cumulative):
        if stop > start:
            slots[symbol] = tuple(range(start, stop))
        start = stop
    return ZTable(StateMachine.build(slots))
