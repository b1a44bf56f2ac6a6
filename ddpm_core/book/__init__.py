"""What only chapters need: plots, results, widgets, exercises."""
