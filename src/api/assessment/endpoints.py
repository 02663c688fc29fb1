"""The routers of the assessment."""

from __future__ import annotations

from typing import Final

from api.assessment.objections import router as objections
from api.assessment.sheets import router as sheets
from api.assessment.tables import router as tables

ROUTERS: Final = (tables, sheets, objections)
