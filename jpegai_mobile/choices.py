"""Judging what a caller chose: every field of options becomes a plain value, or is named in a ValueError.

A judge takes a value and gives what is stored; it raises ValueError saying what the value is not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from numbers import Real
from typing import Any

import numpy as np

Judge = Callable[[Any], Any]

_LONGEST = 60
"""Characters of a value that an error shows."""


def settle(options: Any, judges: Mapping[str, Judge]) -> None:
    """Judge all fields of a frozen dataclass and store what the judges give; None stays where it is the default.

    Raises ValueError that names the field and its value.
    """
    for field in fields(options):
        value = getattr(options, field.name)
        if value is None and field.default is None:
            continue
        try:
            judged = judges[field.name](value)
        except ValueError as error:
            raise ValueError(f"{field.name} {_shown(value)} is {error}") from None
        object.__setattr__(options, field.name, judged)


def whole_number(allowed: range) -> Judge:
    """Judge of whole numbers in a range, NumPy's too; gives int."""

    def judge(value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            raise ValueError("not a whole number") from None
        if number not in allowed:
            raise ValueError(f"not in {allowed[0]}..{allowed[-1]}")
        return number

    return judge


def pair_of_whole_numbers(allowed: range) -> Judge:
    """Judge of two whole numbers in a range; gives a tuple of int."""
    judge_one = whole_number(allowed)

    def judge(value: Any) -> tuple[int, int]:
        try:
            first, second = value
        except (TypeError, ValueError):
            raise ValueError("not a pair of whole numbers") from None
        return judge_one(first), judge_one(second)

    return judge


def number(lowest: float, highest: float) -> Judge:
    """Judge of numbers from `lowest` to `highest`, NumPy's too; gives float."""

    def judge(value: Any) -> float:
        if not isinstance(value, Real) or not value <= highest or value < lowest:
            raise ValueError(f"not a number in {lowest:g}..{highest:g}")
        return float(value)

    return judge


def flag(value: Any) -> bool:
    """Judge of True and False; gives bool."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError("neither True nor False")
    return bool(value)


def one_of(known: Collection[Any]) -> Judge:
    """Judge of the values of a collection; gives the one in the collection."""

    def judge(value: Any) -> Any:
        for each in known:
            if each == value:
                return each
        raise ValueError(f"none of {', '.join(map(str, known))}")

    return judge


def _shown(value: Any) -> str:
    """A value in one line that is not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
