"""The only importer of primitives: keys are objects of one class per role, every use has a label in `kdf`."""
