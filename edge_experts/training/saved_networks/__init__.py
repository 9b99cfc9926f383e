"""Networks of the user that Keras saved; those of Keras 3 are rebuilt in tf_keras."""
