"""Dispatches (派车单): which vehicle drives for which requests; and the steps of both papers, each in one transaction.

* ``dispatch``: what the thread of a dispatch comes to, by the table in ``office.requests``. Pure
* ``contents``: what people write; ``terms``: when the clock looks at a paper. Pure
* ``threads``: threads and rows in the database; ``papers``: an event with all that follows from it
* ``asking``: the steps of a request; ``sending``: those of a dispatch; ``opening``: a new dispatch (派车, 紧急派车, 补单)
* ``orders``: the versions of ``dispatch_orders`` that a dispatch makes, by the registry's own writer: the rules learn nothing new
* ``planner``: which vehicle for which request, pure (docs/dispatch-planner.md); ``gathering``: the facts for it; ``suggesting``: what it says, for people; ``automatic``: what it decides, where a
  pool wants that
* ``vehicles``: which vehicles and drivers may be sent, and whose time is taken
* ``shown``: what the track shows of departure and return; ``clock``: what happens by itself
* ``listing``: lists, counts and one of each, for screens
"""
