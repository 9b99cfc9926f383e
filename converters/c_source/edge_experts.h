/* A sparse expert model on a microcontroller: a router picks the one expert that answers.
 *
 *     static float x[EDGE_EXPERTS_INPUTS];
 *     edge_experts_answer answer;
 *     edge_experts_encode(example, x);
 *     if (edge_experts_ask(x, run, context, &answer) == 0) @SHOW@
 *
 * `run` puts one model into an interpreter; edge_experts_tflm.hpp has it for TensorFlow Lite Micro.
 * C99 and C++11. Compile without -ffast-math: gaps in the inputs are told by comparisons with NaN.
 */
#ifndef EDGE_EXPERTS_H
#define EDGE_EXPERTS_H

#include <stddef.h>
#include <stdint.h>

#include "edge_experts_config.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__cplusplus)
#define EDGE_EXPERTS_ALIGNED alignas(16)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define EDGE_EXPERTS_ALIGNED _Alignas(16)
#else
#define EDGE_EXPERTS_ALIGNED __attribute__((aligned(16)))
#endif

typedef enum { EDGE_EXPERTS_NONE, EDGE_EXPERTS_FLOAT32, EDGE_EXPERTS_INT8 } edge_experts_type;

/* An input or output of a model. */
typedef struct {
    edge_experts_type type; /* NONE: the model has none */
    int place;              /* its index among the model's inputs, or outputs */
    int numbers;
    float scale; /* of INT8: real = scale * (integer - zero_point) */
    int zero_point;
} edge_experts_tensor;

/* A .tflite file in flash, and what it needs. */
typedef struct {
    const unsigned char *data; /* aligned to 16 bytes */
    size_t bytes;
    size_t arena_bytes;
    edge_experts_tensor x, trunk;             /* inputs */
    edge_experts_tensor output, trunk_output; /* outputs */
} edge_experts_model;

extern const edge_experts_model edge_experts_router; /* data is NULL where there is one expert */
extern const edge_experts_model edge_experts_experts[EDGE_EXPERTS_COUNT];
extern const char *const edge_experts_labels[EDGE_EXPERTS_LABELS]; /* UTF-8 */

@ANSWER@/* Runs one model: edge_experts_write its inputs, invoke, edge_experts_read its outputs. The router
 * leaves its second output in `trunk`, and experts that build on it take it from there: real
 * numbers, because the two files scale their integers differently. 0: done. */
typedef int (*edge_experts_run)(void *context, const edge_experts_model *model, const float *x,
                                float *trunk, float *output);

/* Answers an encoded input. Returns what `run` returned where it failed, else 0. */
int edge_experts_ask(const float *x, edge_experts_run run, void *context,
                     edge_experts_answer *answer);

#if EDGE_EXPERTS_TABLE
/* A row of a table: its numbers in the order of edge_experts_number_names (NaN: a gap), and for
 * each of edge_experts_categories the index of its value (-1: none of them). */
typedef struct {
    const char *name;
    int count;
    const char *const *values;
} edge_experts_category;
extern const char *const edge_experts_number_names[];
extern const edge_experts_category edge_experts_categories[];
extern const double edge_experts_mean[], edge_experts_deviation[];
void edge_experts_encode(const double *numbers, const int *categories, float *x);
/* The index of a value (without blanks around it) in a category, -1 where it has no such value. */
int edge_experts_find(int category, const char *value);
#else
/* An image, a window or another array, its last axis varying fastest; x may be the example. */
extern const float edge_experts_mean[], edge_experts_deviation[];
void edge_experts_encode(const float *example, float *x);
#endif

/* The index of the largest number, the first of equals. */
int edge_experts_pick(const float *values, int count);
@DECLARATIONS@/* Real numbers to what the tensor holds, and back; nothing where the model has no such tensor. */
void edge_experts_write(const edge_experts_tensor *tensor, const float *values, void *data);
void edge_experts_read(const edge_experts_tensor *tensor, const void *data, float *values);

#ifdef __cplusplus
}
#endif

#endif
