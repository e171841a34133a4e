"""The server: what every request passes (`http`), what is kept (`db`), and one package for each capability.

Only `server/app.py` chooses adapters. Nothing here is imported by the client, the middleware or `protocol`.
"""
