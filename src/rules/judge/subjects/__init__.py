"""One file a kind of subject that the judge judges."""
