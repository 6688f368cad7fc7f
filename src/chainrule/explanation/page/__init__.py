"""The page of an explanation: one HTML file with the graph, the player, and every number."""
