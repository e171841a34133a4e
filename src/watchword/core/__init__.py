"""Values that everybody shares: instants, ids, randomness, secrets, encodings. Imports only `errors`."""
