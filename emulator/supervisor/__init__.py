"""The one process that owns a running emulator: its AWS processes, gates, edge and control API."""
