"""The file of a vehicle: particulars, plates, papers, documents, maintenance, all of it as PDF; and the licences of drivers."""
