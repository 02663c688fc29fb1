"""Supervision orders (督办单): from an alert, a complaint or an assignment to the answer of the unit and what the office found.

* ``states``: who may do what in which state, as one table; the state of a thread of events. Pure
* ``deadlines``: until when, in working days. Pure
* ``contents``, ``commands``: what people write
* ``cases``, ``commanding``: the thread in the database, and one step of it; ``listing``: lists and counts
* ``clock``: what happens by itself: reminders, alerts that were withdrawn
* ``complaints``, ``callers``: the hotline 12345; ``findings``: labels of alerts, tasks; ``attachments``, ``papers``: files
* ``sampling``: spot checks; ``messages``: who is told
"""
