"""The figures of the last day, kept by the program itself: each process writes its own to PostgreSQL every ten seconds.

* ``figures``: which figures there are, and of which metrics they are made
* ``sampler``: a process notes its own
* ``series``: they are read again, for charts
* ``alarms``: what the alert rules of ``deploy/prometheus`` would say, for the most important ones; pure
"""
