// The declarations that edge_experts_tflm.hpp uses, as tflite-micro has them.
#pragma once
namespace tflite {
template <unsigned int count> class MicroMutableOpResolver : public MicroOpResolver {
  public:
    TfLiteStatus AddAdd(); TfLiteStatus AddAveragePool2D(); TfLiteStatus AddConv2D();
    TfLiteStatus AddDepthwiseConv2D(); TfLiteStatus AddDequantize();
    TfLiteStatus AddFullyConnected(); TfLiteStatus AddMaxPool2D();
    TfLiteStatus AddQuantize(); TfLiteStatus AddReshape();
};
}
