"""What wraps every other secret."""
