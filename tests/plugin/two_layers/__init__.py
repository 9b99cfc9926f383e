"""A task of another package, "two-layers": proves that edge_experts needs no line for a new task.

An input is routed twice in each of several steps. Layer 0's router picks an expert that maps the
state to a new one, layer 1's router one of its experts; the last state is the answer.

    entry_points.txt  what the package adds to which registry; tests/layered.py installs it
    task.py           device: the loop                                  edge_experts.tasks
    policy.py         device: which expert leaves memory first
    commands.py       device: `run` and `evaluate`                      edge_experts.commands
    targets.py        what is wanted of its data                        edge_experts.targets

A training (edge_experts.trainings) and a conversion (edge_experts.conversions) join as training.py
and conversion.py, with a line each in entry_points.txt. They may import TensorFlow; the modules
above must not.
"""
