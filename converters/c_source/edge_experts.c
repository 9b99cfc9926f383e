/* The same steps as the runtime in Python: see edge_experts.h. */
#include "edge_experts.h"

#include <math.h>
#include <string.h>

int edge_experts_ask(const float *x, edge_experts_run run, void *context,
                     edge_experts_answer *answer) {
    float trunk[EDGE_EXPERTS_TRUNK > 0 ? EDGE_EXPERTS_TRUNK : 1];
    float gate[EDGE_EXPERTS_COUNT];
    int failed;

    answer->expert = 0;
    if (edge_experts_router.data != NULL) {
        failed = run(context, &edge_experts_router, x, trunk, gate);
        if (failed) return failed;
        answer->expert = edge_experts_pick(gate, EDGE_EXPERTS_COUNT);
    }
    failed = run(context, &edge_experts_experts[answer->expert], x, trunk, answer->scores);
    if (failed) return failed;
@FINISH@    return 0;
}

#if EDGE_EXPERTS_TABLE
void edge_experts_encode(const double *numbers, const int *categories, float *x) {
    const double farthest = 1e6, largest = 1e30;
    int place, category, value;

    for (place = 0; place < EDGE_EXPERTS_NUMBERS; place++) {
        double standard = 0;
        if (fabs(numbers[place]) <= largest) { /* which NaN is not */
            standard = (numbers[place] - edge_experts_mean[place]) / edge_experts_deviation[place];
            if (standard > farthest) standard = farthest;
            if (standard < -farthest) standard = -farthest;
        }
        *x++ = (float)standard;
    }
    for (category = 0; category < EDGE_EXPERTS_CATEGORIES; category++)
        for (value = 0; value < edge_experts_categories[category].count; value++)
            *x++ = value == categories[category] ? 1.0f : 0.0f;
}

int edge_experts_find(int category, const char *value) {
    const edge_experts_category *all = &edge_experts_categories[category];
    int place;

    for (place = 0; place < all->count; place++)
        if (strcmp(all->values[place], value) == 0) return place;
    return -1;
}
#else
void edge_experts_encode(const float *example, float *x) {
    int place;

    for (place = 0; place < EDGE_EXPERTS_INPUTS; place++) {
        const int scale = place % EDGE_EXPERTS_SCALES;
        const float standard =
            (example[place] - edge_experts_mean[scale]) / edge_experts_deviation[scale];
        x[place] = isfinite(standard) ? standard : 0.0f;
    }
}
#endif

int edge_experts_pick(const float *values, int count) {
    int best = 0, place;

    for (place = 1; place < count; place++)
        if (values[place] > values[best]) best = place;
    return best;
}

@FUNCTIONS@void edge_experts_write(const edge_experts_tensor *tensor, const float *values, void *data) {
    int8_t *integers = (int8_t *)data;
    int place;

    if (tensor->type == EDGE_EXPERTS_FLOAT32)
        memcpy(data, values, (size_t)tensor->numbers * sizeof(float));
    if (tensor->type != EDGE_EXPERTS_INT8) return;
    for (place = 0; place < tensor->numbers; place++) {
        float integer = rintf(values[place] / tensor->scale) + (float)tensor->zero_point;
        if (integer > 127.0f) integer = 127.0f;
        if (integer < -128.0f) integer = -128.0f;
        integers[place] = (int8_t)integer;
    }
}

void edge_experts_read(const edge_experts_tensor *tensor, const void *data, float *values) {
    const int8_t *integers = (const int8_t *)data;
    int place;

    if (tensor->type == EDGE_EXPERTS_FLOAT32)
        memcpy(values, data, (size_t)tensor->numbers * sizeof(float));
    if (tensor->type != EDGE_EXPERTS_INT8) return;
    for (place = 0; place < tensor->numbers; place++)
        values[place] = (float)(integers[place] - tensor->zero_point) * tensor->scale;
}
