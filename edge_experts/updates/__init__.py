"""Bundle updates; after a power loss at any instant the old or the new bundle is whole.

An install root is a folder:

    current -> versions/4-1f0c9d2ab77e   the pointer; switched in one step
    versions/4-1f0c9d2ab77e/             a bundle, <bundle_version>-<start of its digest>
    versions/3-8be21c0d94f5/             the previous one, for `rollback`
    history.json                         order of installation, and the newest ever installed
    costs.json                           memory of the models, where it was measured here
    trusted/*.pub                        public keys; if there is one, a signature is required
    lock                                 held by a command that changes the folder

Entries with a leading dot are unfinished; the next install removes them.
"""
