"""Limits for untrusted files, all in one place.

Each is far above what this toolkit writes and far below what would harm a small board.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Largest accepted counts and sizes in bytes."""

    manifest_bytes: int = 4_000_000
    signature_bytes: int = 64  # Ed25519 has one length
    values: int = 400_000  # in a manifest; small values take 20 times their text in memory
    nesting: int = 32
    digits: int = 20  # of a whole number: beyond 64 bits
    file_bytes: int = 2**31 - 1  # a FlatBuffer's own limit
    experts: int = 8192
    dense_parts: int = 4096
    config_bytes: int = 1_000_000  # of a checkpoint's config.json
    tensor_header_bytes: int = 2**25  # of a safetensors file's header, or of a checkpoint's index
    checkpoint_tensors: int = 100_000
    checkpoint_files: int = 1000
    trainings: int = 1000  # that a bundle has the rows of
    labels: int = 100_000
    label_characters: int = 1000
    name_characters: int = 255  # of name, task, kind
    path_characters: int = 200
    tensor_rank: int = 8  # with the leading 1
    example_numbers: int = 2**24  # in one example
    photos: int = 1_000_000  # files of a folder of photos
    photo_bytes: int = 2**28  # of an image file
    photo_pixels: int = 2**26  # of a photo after decoding
    photo_length: int = 2**16 - 1  # of its longer side
    photo_side: int = 1024  # of the photo that a network gets
    sound_rate: int = 768_000  # samples a second
    sound_channels: int = 64  # of a .wav file
    sound_samples: int = 2**24  # of a sound that is one example, at the rate of its file
    sound_window: int = 2**18  # of the window that a network gets
    columns: int = 10_000  # of a table
    column_values: int = 1000  # of a category
    value_characters: int = 10_000  # of a column's name, or of a category's value
    unicode_rows: int = 20_000  # of each of the Unicode tables; Unicode 16 has 4,000
    arrays: int = 64  # in an .npz
    array_file_bytes: int = 2**26  # of features.npz and golden.npz, packed
    array_bytes: int = 2**28  # and of their arrays, unpacked
    line_characters: int = 2**26  # of an example in text or JSON
    written_pieces: int = 4096  # of one translation
    written_tokens: int = 2**20  # of one continuation
    stop_strings: int = 16
    tokenizer_bytes: int = 2**25  # of a tokenizer.json; Gemma's has 33.4 million
    tokenizer_values: int = 4_000_000  # in it
    tokenizer_steps: int = 16  # of a normalizer, a pre-tokenizer or a decoder
    tokenizer_growth: int = 64  # of a text in its normalizer and pre-tokenizer
    pattern_characters: int = 4096  # of a regular expression or a text in a tokenizer
    pattern_repeats: int = 8  # in one alternative; those published have up to 4
    token_characters: int = 1000
    added_tokens: int = 10_000
    end_tokens: int = 64  # that begin or end a text
    template_bytes: int = 2**17  # of a chat template; published ones have up to 20,000
    chat_messages: int = 10_000  # of a conversation
    template_seconds: int = 5  # of processor time, to render a conversation
    template_memory: int = 2**27  # that it may take
    gguf_values: int = 4_000_000  # in a GGUF file's metadata; vocabularies have 500,000
    gguf_text_bytes: int = 4_000_000  # of one of its texts, such as a chat template
    network_size: int = 2**20  # units, heads, context and vocabulary of a language model
    cache_bytes: int = 2**34  # of keys and values
    beams: int = 64
    threads: int = 256  # of each interpreter's kernels; large boards have 128 cores
    golden_examples: int = 4096
    bins: int = 64  # of a histogram in the reference
    zip_directory_bytes: int = 4_000_000  # of a bundle's archive
    archive_entries: int = 10_000
    least_temperature: float = 1e-3
    largest_temperature: float = 1e6


LIMITS = Limits()
