"""Exchange between the instances of counties, cities and provinces: what goes up, what comes down, what came from others."""
