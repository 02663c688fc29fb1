"""Backtest: stored history judged with other parameters, in a transaction that cannot write.

* ``model``: question and answer
* ``run``: the transaction, the progress
* ``judged``: the rules of the judge, by its gatherers; ``episodes``: that of the worker, ``location``
* ``table``: an answer in words and in columns
"""
