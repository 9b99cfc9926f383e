"""Installed bundles: updates that leave the old or the new one whole, whenever the power goes.

An install root is a folder:

    current -> versions/4-1f0c9d2ab77e   the pointer; switched in one step
    versions/4-1f0c9d2ab77e/             a bundle, <bundle_version>-<start of its digest>
    versions/3-8be21c0d94f5/             the one before, for `rollback`
    history.json                         in which order they came, and the newest ever installed
    costs.json                           what models take in memory, where it was measured here
    trusted/*.pub                        keys; where there is one, a signature is required
    lock                                 held by the command that changes something

Names that begin with a dot are unfinished; the next install removes them.
"""
