"""What the DNS says of a mail domain and its host, judged: one subject a module, each a function of its lookups.

Only ``resolver`` knows the DNS library; it is imported in an errand and never in the resident process.
"""
