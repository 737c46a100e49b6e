"""How the project reaches a stack: clients, the outputs of a deployment, a sender and its receipts."""
