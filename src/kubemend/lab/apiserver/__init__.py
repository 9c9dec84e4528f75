"""The API server's inside: how a request is read, judged, carried out and answered."""
