"""Monitoring: data quality, drift, performance, alerts."""
