/* Answers a reading of the sensors, and raises an alarm after three bad ones.
 *
 * It is plain C and knows no interpreter: `run` runs one model, here simulate.py, on a board
 * the Runner of machine_c/edge_experts_tflm.hpp.
 */
#include <stdio.h>
#include <string.h>

#include "edge_experts.h"

enum { BAD_READINGS = 3 }; /* in a row; a single one may be noise */

static int bad;

/* Prints a line; 1: alarm, 0: none, -1: the interpreter failed. */
int monitor_step(double speed, double vibration, double temperature, edge_experts_run run,
                 void *context) {
    static float x[EDGE_EXPERTS_INPUTS]; /* static: stacks of microcontrollers are small */
    /* In the order of edge_experts_number_names; NaN would be a gap. */
    const double numbers[EDGE_EXPERTS_NUMBERS] = {speed, vibration, temperature};
    edge_experts_answer answer;

    edge_experts_encode(numbers, NULL, x); /* NULL: this table has no categories */
    if (edge_experts_ask(x, run, context, &answer) != 0) return -1;
    bad = strcmp(edge_experts_labels[answer.label], "ok") == 0 ? 0 : bad + 1;
    printf("%s, %d %%, expert %d%s\n", edge_experts_labels[answer.label],
           (int)(100 * answer.score), answer.expert, bad >= BAD_READINGS ? ", ALARM" : "");
    fflush(stdout);
    return bad >= BAD_READINGS;
}
