"""AWS's texts and what they mean: one table, a file a subject."""
