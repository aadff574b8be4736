"""Writes the C header of the residual masses from the Python module that holds them.

python tools/write_residual_masses.py > jpegai_mobile/native/entropy/residual_masses.h
"""

from __future__ import annotations

import textwrap
from itertools import accumulate

from jpegai_mobile.entropy.residual_masses import RESIDUAL_MASSES

HEADER = """\
/* Written by tools/write_residual_masses.py from jpegai_mobile/entropy/residual_masses.py: do not edit. */
#ifndef JAI_RESIDUAL_MASSES_H
#define JAI_RESIDUAL_MASSES_H

/* clang-format off */

#include <stdint.h>
"""


def c_array(comment: str, declaration: str, values: list[int]) -> str:
    """The definition of a constant array."""
    lines = textwrap.wrap(", ".join(map(str, values)), 116)
    body = "\n".join("    " + line for line in lines)
    return f"\n/* {comment} */\nstatic const {declaration}[{len(values)}] = {{\n{body},\n}};\n"


def residual_masses_header() -> str:
    """The text of residual_masses.h."""
    bounds = [len(masses) // 2 for masses in RESIDUAL_MASSES]
    first = [0, *accumulate(len(masses) for masses in RESIDUAL_MASSES)][:-1]
    masses = [mass for table in RESIDUAL_MASSES for mass in table]
    return (
        HEADER
        + c_array("Values of this magnitude and more are escaped.", "uint8_t jai_residual_bounds", bounds)
        + c_array("Where the masses of a table start below.", "uint16_t jai_residual_first_mass", first)
        + c_array(
            "Masses of all tables: 2 * bound each, order 0, -1, 1, ..., -bound.",
            "uint8_t jai_residual_masses",
            masses,
        )
        + "\n#endif\n"
    )


if __name__ == "__main__":
    print(residual_masses_header(), end="")
