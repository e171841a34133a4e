"""Limits of requests: exact token buckets in memory or in Redis."""
