"""Other ways in than plain TCP: TLS, a balancer's PROXY protocol, UDP.

What comes by one of them goes through a pair of sockets and is then a connection like any other (``sockets.Sockets``): the turn
that handles all positions together knows plain sockets alone, and costs nothing more.
"""
