"""Records as lines for log collectors."""
