"""Documents over HTTP: the papers of a case, the monthly report, the picture of an alert."""
