"""The codec, one message at a time: the specification that ``columns`` is tested against."""
