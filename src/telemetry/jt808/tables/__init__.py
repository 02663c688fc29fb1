"""Every message of JT/T 808-2011, -2013 and -2019 as tables: one description decodes, encodes and explains a body.

``codec`` is the way in: ``encode``, ``decode``, ``frames``. ``catalogue`` lists the messages, ``grammar`` says of what a table is made.
"""
