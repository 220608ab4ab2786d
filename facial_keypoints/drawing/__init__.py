"""Drawing on photos: faces, text, filters, and pictures of the network's inside."""
