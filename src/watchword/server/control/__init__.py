"""The control socket: how an operator's command reaches the running server.

`DATA/control.sock` is a Unix socket of mode 0600 in a directory of mode 0700, and each caller's uid is asked of the
kernel: the server's own user and root are operators, nobody else. Lines of JSON-RPC 2.0 go both ways, one request at a
time on a connection; what a long call has to tell meanwhile comes as notifications before its answer.

`methods.py` is the table of what can be called; `server.py` serves it, and a command without a server calls it in its
own process. Clients use `client.py`, which imports nothing heavy.
"""
