"""The judge: rules whose facts come together late (orders, fuel, violations, calendar), beside the live worker.

* ``base``: what a gatherer is, and what it works with (Desk)
* ``loop``: one judge leads; changed facts become keys, keys that are due are judged and published
* ``tracks``: stored tracks of many vehicles at once
* one file a kind of subject: orders, transactions, cards, violations, driver months, vehicle days
"""
