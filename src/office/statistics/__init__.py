"""Numbers of the fleet, its trips and the quality of its data, within the reach of who asks."""
