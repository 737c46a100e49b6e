"""One fake per port of `handlers.domain.ports`: in memory, honest, with switches for faults."""
