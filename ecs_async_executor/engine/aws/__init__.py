"""The AWS clients."""
