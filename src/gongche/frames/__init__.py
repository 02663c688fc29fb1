"""What ``gongche frames`` reads (hex, logs, raw bytes, captures of packets) and how it shows it."""
