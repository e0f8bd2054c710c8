"""Run the command line as ``python -m mailserver_exporter``."""

import sys

from mailserver_exporter.cli import main

sys.exit(main())
