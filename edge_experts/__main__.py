"""`python -m edge_experts` is the command `edge-experts`."""

from .cli import main

if __name__ == "__main__":
    main()
