"""A pretrained network as the trunk of a bundle: computed once for an input, read by all experts.

`network` reads the user's file and takes the features out of it, `scaling` says how inputs are
scaled for it, `features` computes and keeps the features of a data set, `joining` puts router,
network and experts together and takes them apart.
"""
