"""Access tokens: ten-minute JWTs for one audience each, issued to a live session."""
