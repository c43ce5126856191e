"""From what a request asks for to the keys of an object, and back from what was kept."""


class Encryption:
    """Makes and opens the envelopes of all kinds."""
