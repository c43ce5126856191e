"""PostObject: an upload by a form in a web page."""

OPERATIONS: tuple[()] = ()
