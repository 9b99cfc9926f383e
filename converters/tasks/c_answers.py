"""Answers of tasks in C source: the struct, and the code that fills it from an expert's output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CAnswer:
    """A task's part of C source.

    Attributes:
        show: a statement that prints `answer`, in comments.
        shown: the same for the README.
        answer: the struct edge_experts_answer; its `scores` take the expert's output.
        declarations, functions: of the task's own functions.
        finish: statements that complete `answer` once the scores are there.
        defines: numbers of edge_experts_config.h.
        definitions: arrays of edge_experts_tables.c.
    """

    show: str
    shown: str
    answer: str
    declarations: str
    finish: str
    functions: str
    defines: Mapping[str, Any] = field(default_factory=dict)
    definitions: str = ""

    def put_into(self, text: str) -> str:
        """Insert this part into a file of `c_source`."""
        for name in ("show", "answer", "declarations", "finish", "functions"):
            text = text.replace(f"@{name.upper()}@", getattr(self, name))
        return text


LABEL = CAnswer(
    show="puts(edge_experts_labels[answer.label]);",
    shown="""\
        printf("%s, %d %%\\n", edge_experts_labels[answer.label], (int)(100 * answer.score));
""",
    answer="""\
typedef struct {
    int expert;
    int label;
    float score;   /* the label's probability, calibrated on validation data */
    int abstained; /* 1 where the score is under EDGE_EXPERTS_ABSTAIN_BELOW */
    float scores[EDGE_EXPERTS_LABELS];
} edge_experts_answer;

""",
    declarations="""\
/* Logits to calibrated probabilities, in place. */
void edge_experts_softmax(float *logits, int count);
""",
    finish="""\
    answer->label = edge_experts_pick(answer->scores, EDGE_EXPERTS_LABELS);
    edge_experts_softmax(answer->scores, EDGE_EXPERTS_LABELS);
    answer->score = answer->scores[answer->label];
    answer->abstained = answer->score < EDGE_EXPERTS_ABSTAIN_BELOW;
""",
    functions="""\
void edge_experts_softmax(float *logits, int count) {
    const float largest = logits[edge_experts_pick(logits, count)];
    float sum = 0.0f;
    int place;

    for (place = 0; place < count; place++) {
        logits[place] = expf((logits[place] - largest) / EDGE_EXPERTS_TEMPERATURE);
        sum += logits[place];
    }
    for (place = 0; place < count; place++) logits[place] /= sum;
}

""",
)

VALUES = CAnswer(
    show='printf("%f\\n", answer.values[0]);',
    shown="""\
        for (int i = 0; i < EDGE_EXPERTS_LABELS; i++)
            printf("%s %f\\n", edge_experts_labels[i], answer.values[i]);
""",
    answer="""\
typedef struct {
    int expert;
    float scores[EDGE_EXPERTS_LABELS]; /* standardized outputs */
    float values[EDGE_EXPERTS_LABELS]; /* of edge_experts_labels, in the data's own units */
} edge_experts_answer;

""",
    declarations="""\
/* Standardized outputs to values: output * scale + mean. */
extern const float edge_experts_output_mean[EDGE_EXPERTS_LABELS];
extern const float edge_experts_output_scale[EDGE_EXPERTS_LABELS];
void edge_experts_values(const float *outputs, float *values);
""",
    finish="""\
    edge_experts_values(answer->scores, answer->values);
""",
    functions="""\
void edge_experts_values(const float *outputs, float *values) {
    int place;

    for (place = 0; place < EDGE_EXPERTS_LABELS; place++)
        values[place] = outputs[place] * edge_experts_output_scale[place] +
                        edge_experts_output_mean[place];
}

""",
)

LABELS = CAnswer(
    show='printf("%d labels\\n", answer.count);',
    shown="""\
        for (int i = 0; i < EDGE_EXPERTS_LABELS; i++)
            if (answer.present[i])
                printf("%s, %d %%\\n", edge_experts_labels[i], (int)(100 * answer.scores[i]));
""",
    answer="""\
typedef struct {
    int expert;
    int count;                          /* labels that are present; 0 for no label */
    float scores[EDGE_EXPERTS_LABELS];  /* probabilities of edge_experts_labels */
    unsigned char present[EDGE_EXPERTS_LABELS]; /* 1 from the label's threshold on */
} edge_experts_answer;

""",
    declarations="""\
/* Logits to probabilities, in place; marks those from their thresholds on, and counts them. */
extern const float edge_experts_thresholds[EDGE_EXPERTS_LABELS];
int edge_experts_mark(float *logits, unsigned char *present);
""",
    finish="""\
    answer->count = edge_experts_mark(answer->scores, answer->present);
""",
    functions="""\
int edge_experts_mark(float *logits, unsigned char *present) {
    int place, count = 0;

    for (place = 0; place < EDGE_EXPERTS_LABELS; place++) {
        logits[place] = 1.0f / (1.0f + expf(-logits[place]));
        present[place] = logits[place] >= edge_experts_thresholds[place];
        count += present[place];
    }
    return count;
}

""",
)
