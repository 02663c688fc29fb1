"""The console: the pages that people work in, as built files, under the same address as the API."""
