"""The audit trail: what is recorded, how entries are chained, and how a change to them is found."""
