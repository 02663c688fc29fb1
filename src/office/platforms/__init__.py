"""Other platforms that positions are given to or taken from, and what they order to be dealt with; without the protocol."""
