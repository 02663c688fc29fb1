"""JT/T 809, editions 2011 and 2019: platform to platform. The codec, without IO or clock; what the links do is in ``gongche.exchange809``."""
