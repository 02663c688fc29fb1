"""Which vehicle and which driver for which request: suggested, explained, bounded (docs/dispatch-planner.md). Pure: facts in, plan out; no IO, no clock,
and the same facts in any order give the same plan, byte for byte.

* ``facts``: what is known of requests, vehicles, drivers; what is not known is None, and is said to be so
* ``reasons``: why a vehicle cannot be sent (H1-H12), as bits, with words
* ``weights``: what is weighed, in 分
* ``travel``: ways between places: of the navigation engine, else straight lines times a factor
* ``world``: the facts as arrays; ``crews``: which driver goes with which vehicle
* ``chains``: what each vehicle has to do, one thing after the other
* ``evaluate``: for every request and every vehicle what is in the way, and what it costs, term by term: the one place for both
* ``rank``: the best vehicles for one request, and why others fail; ``batch``: many requests at once
"""
