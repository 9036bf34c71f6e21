"""What a scheduler tells the fleet page about itself."""
