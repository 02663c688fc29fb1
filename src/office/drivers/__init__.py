"""Drivers (司勤人员) as people who work: leave (请假), what they drive without a rest, overtime.

* ``leave``: its states and steps, pure; ``leaves``: one step in one transaction. All that is written of leave is written here; what was granted is read by ``registry.duty``.

Rosters are facts of the register (``registry.duty``). This folder knows no dispatch: what drivers drove comes from outside (``api.drivers`` joins it).
"""
