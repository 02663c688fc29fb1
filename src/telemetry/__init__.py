"""From terminal bytes to durable positions."""
