"""Text that experts write: a translator's signatures, beam search and answers."""
