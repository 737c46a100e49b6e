"""Why a stack does not deliver: what each region shows, and which causes fit that."""
