"""The codec by columns: the same as ``scalar``, many messages at once with numpy."""
