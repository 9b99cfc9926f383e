/* The same steps as features/sensor_stream.py: see edge_experts_windows.h. */
#include "edge_experts_windows.h"

#include <string.h>

#define GAP (3.0 * EDGE_EXPERTS_INTERVAL) /* rows farther apart are not connected */
#define SNAP (0.25 * EDGE_EXPERTS_INTERVAL)

enum { NONE, AS_IT_IS, ON_GRID }; /* what is to be done with the row */

static void clear(edge_experts_windows *windows) { windows->count = windows->skip = 0; }

void edge_experts_restart(edge_experts_windows *windows) {
    clear(windows);
    windows->pending = NONE;
    windows->has_before = 0;
}

int edge_experts_push(edge_experts_windows *windows, const float *row, double time) {
    const int is_timed = EDGE_EXPERTS_INTERVAL > 0 && time == time;

    windows->pending = AS_IT_IS;
    memcpy(windows->row, row, sizeof windows->row);
    windows->time = time;
    if (!is_timed) return 0;
    if (windows->has_before && time < windows->time_before) {
        edge_experts_restart(windows);
        return 1;
    }
    if (!windows->has_before || time - windows->time_before > GAP) {
        clear(windows);
        windows->expected = time + EDGE_EXPERTS_INTERVAL;
    } else {
        windows->pending = time == windows->time_before ? NONE : ON_GRID; /* or written twice */
    }
    return 0;
}

/* before + share * (row - before), each rounded to float: a fused multiplication would differ. */
static float between(float before, float row, float share) {
    volatile float part = share * (row - before);

    return before + part;
}

static void interpolate(const edge_experts_windows *windows, float *found) {
    const float share = (float)((windows->expected - windows->time_before) /
                                (windows->time - windows->time_before));
    int channel;

    for (channel = 0; channel < EDGE_EXPERTS_CHANNELS; channel++)
        found[channel] = between(windows->before[channel], windows->row[channel], share);
}

/* Adds a row; 1: it completes a window. */
static int add(edge_experts_windows *windows, const float *row) {
    if (windows->skip > 0) {
        windows->skip--;
        return 0;
    }
    memcpy(windows->rows[(windows->first + windows->count) % EDGE_EXPERTS_WINDOW_ROWS], row,
           sizeof windows->row);
    windows->count++;
    return windows->count == EDGE_EXPERTS_WINDOW_ROWS;
}

/* Gives the window, and forgets the rows that the next one does not have. */
static void take(edge_experts_windows *windows, float *x) {
    const int32_t rows = EDGE_EXPERTS_WINDOW_ROWS, stride = EDGE_EXPERTS_STRIDE;
    const int32_t forgotten = stride < rows ? stride : rows;
    int32_t place;

    for (place = 0; place < rows; place++)
        memcpy(x + place * EDGE_EXPERTS_CHANNELS, windows->rows[(windows->first + place) % rows],
               sizeof windows->row);
    edge_experts_encode(x, x);
    windows->first = (windows->first + forgotten) % rows;
    windows->count -= forgotten;
    windows->skip = stride - forgotten;
}

/* Ends the work on a row, which is now the one before. */
static void close_row(edge_experts_windows *windows) {
    windows->pending = NONE;
    if (EDGE_EXPERTS_INTERVAL > 0 && windows->time == windows->time) {
        memcpy(windows->before, windows->row, sizeof windows->row);
        windows->time_before = windows->time;
        windows->has_before = 1;
    }
}

int edge_experts_next(edge_experts_windows *windows, float *x) {
    float made[EDGE_EXPERTS_CHANNELS];
    int is_added;

    while (windows->pending != NONE) {
        if (windows->pending == ON_GRID && windows->expected < windows->time - SNAP) {
            interpolate(windows, made);
            windows->expected += EDGE_EXPERTS_INTERVAL;
            is_added = add(windows, made);
        } else if (windows->pending == ON_GRID && windows->expected > windows->time + SNAP) {
            close_row(windows); /* between two rows of the grid */
            is_added = 0;
        } else {
            if (windows->pending == ON_GRID) windows->expected = windows->time + EDGE_EXPERTS_INTERVAL;
            close_row(windows);
            is_added = add(windows, windows->row);
        }
        if (is_added) {
            take(windows, x);
            return 1;
        }
    }
    return 0;
}
