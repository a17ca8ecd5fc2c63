"""HTTP+JSON and server-sent events for the services, transcoded as their contracts say (rule I3)."""
