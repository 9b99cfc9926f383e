// Runs router and experts in TensorFlow Lite Micro, one after the other in the same arena.
//
//     alignas(16) static uint8_t arena[EDGE_EXPERTS_ARENA_BYTES];
//     static edge_experts::Runner runner(arena, sizeof arena);
//     if (runner.ask(x, &answer) == 0) @SHOW@
#ifndef EDGE_EXPERTS_TFLM_HPP
#define EDGE_EXPERTS_TFLM_HPP

#include "edge_experts.h"
#include "edge_experts_operators.hpp"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace edge_experts {

class Runner {
  public:
    Runner(uint8_t *arena, size_t bytes) : arena_(arena), bytes_(bytes) {
        failed_ = edge_experts_add_operators(resolver_);
    }

    // Answers an encoded input; 0: done. Experts take no memory but in the arena, while they run.
    int ask(const float *x, edge_experts_answer *answer) {
        return failed_ ? failed_ : edge_experts_ask(x, &Runner::run, this, answer);
    }

  private:
    static int run(void *context, const edge_experts_model *model, const float *x, float *trunk,
                   float *output) {
        Runner *self = static_cast<Runner *>(context);
        tflite::MicroInterpreter interpreter(tflite::GetModel(model->data), self->resolver_,
                                             self->arena_, self->bytes_);
        if (interpreter.AllocateTensors() != kTfLiteOk) return 1;
        write(interpreter, model->x, x);
        write(interpreter, model->trunk, trunk);
        if (interpreter.Invoke() != kTfLiteOk) return 2;
        read(interpreter, model->output, output);
        read(interpreter, model->trunk_output, trunk);
        return 0;
    }

    static void write(tflite::MicroInterpreter &interpreter, const edge_experts_tensor &tensor,
                      const float *values) {
        if (tensor.type == EDGE_EXPERTS_NONE) return;
        edge_experts_write(&tensor, values, interpreter.input(tensor.place)->data.raw);
    }

    static void read(tflite::MicroInterpreter &interpreter, const edge_experts_tensor &tensor,
                     float *values) {
        if (tensor.type == EDGE_EXPERTS_NONE) return;
        edge_experts_read(&tensor, interpreter.output(tensor.place)->data.raw, values);
    }

    tflite::MicroMutableOpResolver<EDGE_EXPERTS_OPERATORS> resolver_;
    uint8_t *arena_;
    size_t bytes_;
    int failed_;
};

}  // namespace edge_experts

#endif
