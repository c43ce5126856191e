"""marshmallow request and response schemas: the declared shapes of the service."""
