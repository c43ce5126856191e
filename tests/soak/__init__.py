"""Three servers under load while servers, the database and the store of counters are killed, and what must hold."""
