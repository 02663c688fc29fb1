"""The judge: rules whose facts come together late (orders, fuel, violations, calendar), beside the live worker.

* ``context``: what a gatherer is, and what it works with
* ``process``: one judge leads; changed facts become keys, keys that are due are judged and published
* ``queue``: the keys, and when each is due
* ``tracks``, ``day_tracks``, ``order_tracks``: stored tracks of many vehicles at once
* ``subjects``: one file a kind of subject (orders, destinations, fills, cards, violations, driver months, vehicle days)
"""
