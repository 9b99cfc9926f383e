// The declarations that edge_experts_tflm.hpp uses, as tflite-micro has them.
#pragma once
namespace tflite { const Model *GetModel(const void *buffer); }
