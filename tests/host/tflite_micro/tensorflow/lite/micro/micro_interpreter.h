// The declarations that edge_experts_tflm.hpp uses, as tflite-micro has them.
#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
union TfLitePtrUnion { int32_t *i32; float *f; char *raw; int8_t *int8; void *data; };
struct TfLiteTensor { int type; TfLitePtrUnion data; };
namespace tflite {
struct Model;
class MicroOpResolver { public: virtual ~MicroOpResolver() {} };
class MicroInterpreter {
  public:
    MicroInterpreter(const Model *model, const MicroOpResolver &resolver, uint8_t *arena,
                     size_t arena_size);
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);
};
}
