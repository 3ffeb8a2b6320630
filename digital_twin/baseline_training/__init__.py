"""Trains the learned baselines on scenes of the twin: labelled scenes, targets, two small training loops."""
