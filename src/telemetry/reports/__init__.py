"""What terminals report that is no position: through a topic of its own to tables and files that the office reads."""
