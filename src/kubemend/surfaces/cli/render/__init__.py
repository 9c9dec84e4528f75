"""What a terminal or a file gets to see. Pure: data in, text out."""
