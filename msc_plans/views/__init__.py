"""What a person sees: progress bars, lines, figures."""
