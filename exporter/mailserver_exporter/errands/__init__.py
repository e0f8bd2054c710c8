"""What runs in a short-lived process; see errand.py. One subject a module, each with ``run(request)``."""
