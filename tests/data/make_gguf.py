"""A small GGUF file of every type of weights that is read, with the logits of `transformers`.

    pip install torch transformers safetensors gguf
    python tests/data/make_gguf.py

in an environment of its own, after `make_checkpoints.py`. It writes tests/data/gguf/small.gguf with
the weights of the checkpoint llama-sharded in GGUF's order, and reference.npz beside it: tokens,
positions and logits as for checkpoints, and by name the tensors as the package `gguf` dequantizes
them. The files in the repository were made by gguf 0.19.0, torch 2.14.1 and transformers 5.24.0.
"""

# mypy: ignore-errors

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from gguf.quants import dequantize, quantize

HERE = Path(__file__).parent
SOURCE, FOLDER = HERE / "checkpoints" / "llama-sharded", HERE / "gguf"
Kind = gguf.GGMLQuantizationType
# By the end of a tensor's name; float32 otherwise.
KINDS = {
    "token_embd.weight": Kind.Q8_0,
    "output.weight": Kind.F16,
    "attn_q.weight": Kind.Q4_0,
    "attn_k.weight": Kind.Q8_0,
    "attn_v.weight": Kind.BF16,
    "ffn_gate.weight": Kind.Q4_1,
    "ffn_up.weight": Kind.Q4_0,
    "ffn_down.weight": Kind.Q4_1,
}
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    model = transformers.LlamaForCausalLM.from_pretrained(SOURCE, dtype=torch.float32)
    config, dequantized = model.config, {}
    path = FOLDER / "small.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_license("apache-2.0")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer)
    for name, tensor in model.state_dict().items():
        short = _name_of(name)
        array = tensor.numpy()
        if "attn_q" in short or "attn_k" in short:
            heads = array.reshape(-1, 2, config.head_dim // 2, array.shape[1])
            array = heads.swapaxes(1, 2).reshape(array.shape)  # as llama.cpp's converter does
        kind = next((one for end, one in KINDS.items() if short.endswith(end)), Kind.F32)
        packed = quantize(array.astype(np.float32), kind)
        writer.add_tensor(short, packed, raw_dtype=kind)
        dequantized[short] = dequantize(packed, kind).astype(np.float32).reshape(array.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    again = transformers.LlamaForCausalLM.from_pretrained(
        FOLDER, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    with np.load(SOURCE / "reference.npz") as reference:
        tokens, positions = reference["tokens"], reference["positions"]
    with torch.no_grad():
        logits = again(torch.tensor(tokens.astype(np.int64))[None]).logits[0].numpy()
    np.savez_compressed(
        FOLDER / "reference.npz",
        tokens=tokens,
        positions=positions,
        logits=logits[positions],
        **dequantized,
    )


def _name_of(name: str) -> str:
    for long, short in NAMES.items():
        name = name.replace(long, short)
    return name.replace("model.layers.", "blk.")


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    tokenizer = json.loads((HERE / "checkpoints" / "tokenizer.json").read_text())
    model = tokenizer["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, *[1] * (len(tokens) - 2)])
    writer.add_token_merges(
        [one if isinstance(one, str) else " ".join(one) for one in model["merges"]]
    )
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)


if __name__ == "__main__":
    main()
