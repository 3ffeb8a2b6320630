"""What the two Qt apps share: theme, icons, live picture, view-models, work in the background."""
