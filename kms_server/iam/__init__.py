"""Who may do what: principals, policies and one evaluator. No I/O."""
