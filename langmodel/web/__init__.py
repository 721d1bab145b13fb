"""The playground: a server with a page and a JSON API; and the same page as one file that needs no server."""
