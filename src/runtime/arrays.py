"""Types of numpy arrays, named once. Shapes stand in the docstrings of the functions."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: int64; what most columns are: times in microseconds, metres, numbers of vehicles.
Ints: TypeAlias = NDArray[np.int64]
#: Integers of any width, as they come from the wire or from a file.
AnyInts: TypeAlias = NDArray[Any]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
#: Arrays of any dtype, structured rows among them.
AnyArray: TypeAlias = NDArray[Any]
