"""One file a command of ``gongche``: ``add_arguments(parser)`` and ``run(args) -> exit status``."""
