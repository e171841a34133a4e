"""What people see: pages, their texts, and the scripts and styles that come with them.

A page is a client like any other (docs/design/0003-browser.md): nothing here sees a password that a browser sealed.
"""
