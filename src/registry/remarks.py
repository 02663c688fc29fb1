"""What the program itself writes into a table that it gives back to be corrected, and reads over when the table returns."""

from __future__ import annotations

from typing import Final

#: Columns beside those of the sender: what is wrong with a row and what to do, and where it stood in his file.
SAID: Final = "错误与改法 / what to do"
STOOD_AT: Final = "原行号 / row before"
COLUMNS: Final = frozenset({SAID, STOOD_AT})
#: Stands in a cell whose content could not be kept. It is refused until something else stands there: an empty cell might be
#: taken for one that nobody filled in.
NOT_KEPT: Final = "【原值未能保留，请填写】"
NOT_KEPT_SAYS: Final = "此格的原值未能保留，请填写 · what stood here could not be kept; fill it in"
