"""Barchart's market data: two wire protocols behind one seam, its history over REST, its names of contracts."""
