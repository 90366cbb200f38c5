"""Barchart's market data: two wire protocols behind one seam, history over REST, names of contracts."""
