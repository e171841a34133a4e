"""What people see: pages, their texts, the forms that work without a script, and the scripts and styles beside them.

A page is a client like any other (docs/design/0003-browser.md): nothing here sees a password that a browser sealed.
Invariants: what a person typed or a client sent is shown as text and never as markup; every form carries the session's
token; after a form comes a redirect, so that reloading does nothing twice.
"""
