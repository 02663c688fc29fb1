"""A labelled scenario: a seeded month of a fleet in which every violation and every trap is planted and labelled."""
