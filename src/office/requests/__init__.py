"""Requests for a vehicle (用车申请单) and who decides on them.

* ``table``: states, steps, who may take them, of requests and of dispatches, as one table. Pure
* ``request``: what the thread of a request comes to; ``words``: why a step is refused. Pure
* ``contents``: what people write
* ``rules``: the approval table of a unit: first match, catch-all, chain. Pure; ``rule_tables``: its versions in the database
* ``messages``: who is told

A request and its dispatches change in one transaction: the threads of both, and each step, are in ``office.dispatch``.
"""
