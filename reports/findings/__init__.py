"""What a report says: one value for each thing."""
