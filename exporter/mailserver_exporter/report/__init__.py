"""The daily report: from Prometheus, by e-mail. Nothing of it is imported by the resident exporter."""
