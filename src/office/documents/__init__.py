"""Documents (公文): PDF by typst, XLSX by XlsxWriter, the picture of the evidence as SVG. Pure: data in, bytes out.

The same data give the same bytes: no clock is asked, times come from the data. What people wrote is data for the templates
(``templates``), never code of them. This package reads no database; ``api.documents`` fills it.
"""
