"""Indicators (指标): one definition each, printed with its number; computed from raw facts in one place.

* ``definitions``: what each says, and which are not published, with the reason. Pure
* ``facts``: the raw facts of a period, from the database; ``computing``: the numbers. Pure but for ``facts``
* ``spans``: spans of time: unions, and what of them is office hours. Pure
"""
