"""Reads the pickle of a PyTorch state dict as data: nothing named in it is ever imported or called.

A pickle is a program for a small stack machine. This module runs only the instructions that a state dict
consists of, and answers an instruction that would import or call something with a record that says so.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass


class PickleRefused(ValueError):
    """The pickle is damaged or is not that of a plain state dict; the text says where."""


@dataclass(frozen=True)
class GlobalName:
    """Something that the pickle would import, as 'module name'."""

    name: str


@dataclass(frozen=True)
class Call:
    """Something that the pickle would call."""

    function: str
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Persistent:
    """Something that the pickle keeps outside itself, with what identifies it there."""

    identity: object


_ORDERED_DICT = "collections OrderedDict"
_MARK = object()


def read_pickle(data: bytes) -> object:
    """The value that a protocol 2 pickle describes.

    Returns None, bool, int, float, str, tuple, list, dict (ordered dicts too), `GlobalName`, `Call` or
    `Persistent`, nested. Values may share parts, so the result must not be walked without a bound.
    Raises PickleRefused.
    """
    machine = _Machine()
    for name, argument, position in _instructions(data):
        try:
            machine.step(name, argument)
        except (IndexError, KeyError, TypeError) as error:
            raise PickleRefused(f"damaged pickle: {name} at byte {position}") from error
    if len(machine.stack) != 1:
        raise PickleRefused("damaged pickle: it does not end with one value")
    return machine.stack[0]


def _instructions(data: bytes) -> Iterator[tuple[str, object, int]]:
    try:
        for opcode, argument, position in pickletools.genops(data):
            yield opcode.name, argument, position or 0
    except ValueError as error:
        raise PickleRefused(f"damaged pickle: {str(error)[:80]}") from error


class _Machine:
    def __init__(self) -> None:
        self.stack: list[object] = []
        self.memo: dict[object, object] = {}

    def step(self, name: str, argument: object) -> None:
        push, pop = self.stack.append, self.stack.pop
        match name:
            case "PROTO":
                if argument != 2:
                    raise PickleRefused("pickle protocol 2 is read, not another")
            case "STOP":
                pass
            case "MARK":
                push(_MARK)
            case "NONE":
                push(None)
            case "NEWTRUE" | "NEWFALSE":
                push(name == "NEWTRUE")
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE":
                push(argument)
            case "EMPTY_TUPLE":
                push(())
            case "EMPTY_LIST":
                push([])
            case "EMPTY_DICT":
                push({})
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                push(self.memo[argument])
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                push(tuple(reversed([pop() for _ in range(int(name[-1]))])))
            case "TUPLE":
                push(tuple(self._pop_to_mark()))
            case "APPEND":
                self._extend([pop()])
            case "APPENDS":
                self._extend(self._pop_to_mark())
            case "SETITEM":
                value, key = pop(), pop()
                self._update([key, value])
            case "SETITEMS":
                self._update(self._pop_to_mark())
            case "GLOBAL":
                push(GlobalName(str(argument)))
            case "BINPERSID":
                push(Persistent(pop()))
            case "REDUCE":
                arguments, function = pop(), pop()
                push(_called(function, arguments))
            case "BUILD":
                self._build(pop())
            case _:
                raise PickleRefused(f"a state dict has no pickle instruction {name}")

    def _pop_to_mark(self) -> list[object]:
        items = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _extend(self, items: list[object]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError
        target.extend(items)

    def _update(self, items: list[object]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int):
                raise TypeError
            target[key] = value

    def _build(self, state: object) -> None:
        """Drop the attributes of an ordered dict (PyTorch hangs its format version there)."""
        if not isinstance(self.stack[-1], dict) or not isinstance(state, dict):
            raise PickleRefused("a state dict builds no objects")


def _called(function: object, arguments: object) -> object:
    if not isinstance(function, GlobalName) or not isinstance(arguments, tuple):
        raise TypeError
    if function.name == _ORDERED_DICT and not arguments:
        return {}
    return Call(function.name, arguments)
