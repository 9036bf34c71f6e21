"""Who may call AWS, and when."""
