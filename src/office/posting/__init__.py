"""What is sent to addresses that somebody gave: where it may go, how, and how it is signed. For webhooks and for messages."""
