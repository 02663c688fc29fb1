"""What vehicles cost, and who pays for trips (费用台账、计价、结算).

* ``kinds``: the kinds of cost and who bears them; ``money``: sums in words (大写金额). Pure
* ``entry``: what a line of the ledger says; ``ledger``: lines in the database, in versions; ``files``: files of them
* ``terms``: a tariff as data, and what is refused of it; ``tariff``: the one engine that computes a price. Pure
* ``tariffs``: versions of tariffs in the database
* ``shares``: settlement km, the shares of a pooled trip; ``trip``: what is known of a driven trip, and its price. Pure
* ``statement``: the states of a statement and who may take which step. Pure
* ``reconciling``: the ledger and statements against the vouchers of the finance system; ``sheets``: tables of money as XLSX
* ``prices``: what trips cost, in the database; ``drawing``: statements of a month; ``statements``: their steps, lists and one of each

Trips are read, and requests become settled, by ``office.dispatch``: ``api.costs`` joins the two.
"""
