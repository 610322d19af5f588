"""Gmail API v1: messages, threads, labels, drafts, history, watch and push."""
