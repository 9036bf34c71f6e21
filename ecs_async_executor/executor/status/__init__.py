"""What a scheduler publishes about itself, for the fleet page."""
