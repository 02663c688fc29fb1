"""The assessment (考核评分) of units: what closed cases cost, by a scoring table, line by line.

* ``table``: a scoring table and the one that is shipped; ``periods``: years and quarters; ``sheet``: the calculation. Pure.
* ``tables``, ``sheets``, ``disputes``: tables in versions, closed sheets, objections: all that is written here.
* ``indicators``: what the database says besides; ``deciding``: who may decide about which unit.

What cases have to say comes from outside (``api.assessment`` joins it): this folder knows no supervision.
"""
