"""The sections of the configuration file, one subject a file; config.py puts them together."""
