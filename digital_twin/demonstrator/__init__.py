"""A simulated person with the handheld gripper, and the sessions that come of it."""
