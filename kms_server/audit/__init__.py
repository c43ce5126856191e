"""The audit log: records, their durable commit, and questions to them."""
