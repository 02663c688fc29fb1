"""Whether the finance system has booked what the ledger and the statements say (交通费自动比对).

* ``voucher``: a line of a voucher, and what may be missing in one; ``mapping``: what a unit's finance system calls things, as data. Pure
* ``xml_rows``, ``table_rows``: files as rows of texts; ``reading``: rows as lines of vouchers, or every flaw. Pure
* ``outcome``: the six outcomes, and how a group of lines and items is judged. Pure
* ``matching``: which lines and items belong together, in the order number, counterpart, sums; ``pairs``, ``sums``: its parts. Pure
* ``items``: what the platform expects to be booked, in the database; ``runs``: runs that are frozen; ``acts``: what people match by hand
* ``sheets``: a run as XLSX
"""
