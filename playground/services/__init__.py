"""Verbs: the only writers of the tables. Keyword-only arguments, `by=` the actor; they never see a request."""
