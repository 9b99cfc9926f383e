/* Windows of rows of sensors, cut as `edge-experts run --stream` cuts them, with the same numbers.
 *
 *     static edge_experts_windows windows; // static memory is zero: nothing was measured yet
 *     static float x[EDGE_EXPERTS_INPUTS];
 *     edge_experts_push(&windows, row, seconds);
 *     while (edge_experts_next(&windows, x)) edge_experts_ask(x, run, context, &answer);
 */
#ifndef EDGE_EXPERTS_WINDOWS_H
#define EDGE_EXPERTS_WINDOWS_H

#include "edge_experts.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A window that fills. Its members are for edge_experts_windows.c. */
typedef struct {
    float rows[EDGE_EXPERTS_WINDOW_ROWS][EDGE_EXPERTS_CHANNELS]; /* a ring */
    float row[EDGE_EXPERTS_CHANNELS], before[EDGE_EXPERTS_CHANNELS];
    double time, time_before, expected;
    int32_t first, count, skip;
    int pending, has_before;
} edge_experts_windows;

/* The names of a row's numbers, in their order. */
extern const char *const edge_experts_channels[EDGE_EXPERTS_CHANNELS];

/* Forgets all rows: what comes now is another recording. */
void edge_experts_restart(edge_experts_windows *windows);

/* Takes the next row: the numbers of edge_experts_channels, NaN where nothing was measured, and its
 * time in the unit of training (EDGE_EXPERTS_INTERVAL is the time between two rows; dates are
 * seconds). Rows off the grid are interpolated, and after a gap a new window begins. The time is
 * not read if EDGE_EXPERTS_INTERVAL is 0; if it is NaN, the row is taken as it is.
 * 0: done. 1: the time is before that of the row before; the row is dropped and a new window begins. */
int edge_experts_push(edge_experts_windows *windows, const float *row, double time);

/* 1: a window is complete, and x has it, encoded; call again, since one row may complete several.
 * 0: the next row is needed. Rows that are pushed before it answered 0 are lost. */
int edge_experts_next(edge_experts_windows *windows, float *x);

#ifdef __cplusplus
}
#endif

#endif
